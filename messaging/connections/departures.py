"""What leaves this node at the end of a turn of the event loop: one write per connection.

A publication is encoded once per wire format, and everything a channel was sent within a turn
is joined once. A connection that has nothing else to say is written to straight from there; one
with replies of its own, or in several busy channels, gets all of it joined.
"""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.options import option
from messaging.connections.frame_io import IN_PYTHON, FrameIO
from messaging.connections.framing import frame_of
from messaging.connections.tapping import Tap
from messaging.protocol.codec import Codec
from messaging.protocol.codes import close_reason
from messaging.protocol.events import Disconnect
from messaging.protocol.frames import Push

if TYPE_CHECKING:
    from messaging.delivery.fanout import Fanout

FRAME_BYTES = 65_536
"""Answers are joined into one frame up to this size; a larger answer travels alone."""


@dataclass(frozen=True, slots=True)
class WireOptions:
    """How much a connection may send, and leave unread."""

    message_bytes: int = option(
        65_536, "Size of a client's WebSocket message. Clients give up for good beyond it."
    )
    backlog_bytes: int = option(
        1_048_576, "Bytes kept for a client that reads too slowly, before it is disconnected."
    )
    close_seconds: float = option(
        5.0, "How long a client may take to answer that its connection is closed."
    )
    compiled: bool = option(
        True, "Whether to read and write frames with the part in C, where it was compiled."
    )

    def __post_init__(self) -> None:
        if self.message_bytes < 1024:
            raise ValueError("message_bytes must be at least 1024")
        if self.backlog_bytes < 65_536:
            raise ValueError("backlog_bytes must be at least 65536")
        if self.close_seconds <= 0:
            raise ValueError("close_seconds must be above 0")


class Batch:
    """What one channel was sent within a turn, encoded in one wire format."""

    __slots__ = ("_framed", "_parts", "binary")

    def __init__(self, parts: list[bytes], *, binary: bool) -> None:
        self._parts = parts
        self.binary = binary
        self._framed: bytes | None = None

    @property
    def parts(self) -> list[bytes]:
        """The publications one by one, without WebSocket framing."""
        return self._parts

    @property
    def framed(self) -> bytes:
        """WebSocket frames, ready to be written; made once for all who are sent it."""
        if self._framed is None:
            self._framed = b"".join([frame_of(part, binary=self.binary) for part in self._parts])
        return self._framed


class Wire(ABC):
    """One connection's way to its client. Nothing here waits, and nothing raises."""

    __slots__ = ("answers", "batches", "codec", "departures", "due", "session", "slot", "socket")

    medium: str = "websocket"
    """What carries it, by the name that clients have for it."""
    node: str = ""
    """Where to look for it."""
    native_pings: bool = False
    """Whether what carries the frames pings, instead of the protocol."""

    def __init__(self, codec: Codec, departures: "Departures") -> None:
        self.codec = codec
        self.departures = departures
        self.due = False
        self.session = ""
        """A secret of the connection and its client, by which others may mean it, if it has one."""
        self.socket = -1
        """The descriptor that frames may be written to straight away; -1 while that is not so."""
        self.slot = 0
        """Where the timer wheel keeps this wire."""
        self.answers: list[bytes] | None = None
        self.batches: list[Batch] | None = None

    @property
    def transport(self) -> str:
        """How the client is connected, by the last part of the address it connects to."""
        return f"uni_{self.medium}" if self.codec.one_way else self.medium

    def send(self, answer: bytes) -> None:
        """Let an encoded answer leave at the end of this turn, before any publication."""
        if self.answers is None:
            self.answers = [answer]
        else:
            self.answers.append(answer)
        self.departures.add(self)
        if self.departures.tap is not None:
            self.departures.tap.answered(self, answer)

    def ping(self, encoded: bytes) -> None:
        """Ask the client whether it is there."""
        self.send(encoded)

    def append(self, batch: Batch) -> None:
        """Let a channel's batch leave with whatever else this wire has to say."""
        if self.batches is None:
            self.batches = [batch]
        else:
            self.batches.append(batch)

    def frames(self) -> list[bytes]:
        """Take the answers that wait, joined into frames of a decent size."""
        answers, self.answers = self.answers, None
        if not answers:
            return []
        if len(answers) == 1 or self.codec.one_way:
            # Whoever listens without one of the SDKs takes a frame for one push.
            return answers
        frames: list[bytes] = []
        together: list[bytes] = []
        size = 0
        for answer in answers:
            if together and size + len(answer) > FRAME_BYTES:
                frames.append(self.codec.join(together))
                together, size = [], 0
            together.append(answer)
            size += len(answer) + 1
        frames.append(self.codec.join(together))
        return frames

    def farewell(self, code: int, reason: str) -> bytes:
        """The last push: why the connection ends, where that cannot be said otherwise."""
        return self.codec.encode_push(Push(Disconnect(code, close_reason(reason))))

    def framed(self) -> bytes:
        """Take all that waits as WebSocket frames: answers first, then what channels were sent."""
        binary = self.codec.binary
        if self.batches is None and self.answers is not None and len(self.answers) == 1:
            [answer], self.answers = self.answers, None
            return frame_of(answer, binary=binary)
        frames = [frame_of(frame, binary=binary) for frame in self.frames()]
        if self.batches is not None:
            frames += [batch.framed for batch in self.batches]
            self.batches = None
        return frames[0] if len(frames) == 1 else b"".join(frames)

    @abstractmethod
    def deliver(self, batch: Batch) -> None:
        """Write a batch now: this wire has nothing else to say in this turn."""

    @abstractmethod
    def depart(self) -> None:
        """Write everything that waits."""

    def fell_short(self, data: bytes, written: int) -> None:
        """See to the rest: `socket` took only so many bytes of `data`, or is broken if below 0."""
        raise AssertionError("only a wire with a socket is written to past itself")

    @abstractmethod
    def close(self, code: int, reason: str) -> None:
        """Write what waits, then the close frame. The client has a few seconds to agree."""

    @abstractmethod
    def abort(self) -> None:
        """Cut the connection at once."""

    @abstractmethod
    def pause_reading(self) -> None:
        """Take no more from the client until `resume_reading`."""

    @abstractmethod
    def resume_reading(self) -> None: ...

    @abstractmethod
    def tick(self, now: float) -> float | None:
        """Do what is due; when to call again, in monotonic seconds, or None for never."""

    @abstractmethod
    def give_up(self) -> None:
        """The client cannot keep up: end the connection. Called between turns."""


class Departures:
    """Everything that leaves at the end of this turn of the event loop."""

    __slots__ = ("_fanouts", "_hopeless", "_loop", "_scheduled", "_wires", "frame_io", "tap")

    def __init__(self, frame_io: FrameIO = IN_PYTHON) -> None:
        self.tap: Tap | None = None
        self.frame_io = frame_io
        self._wires: list[Wire] = []
        self._fanouts: list[Fanout] = []
        self._hopeless: list[Wire] = []
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, wire: Wire) -> None:
        """This wire has something to say."""
        if not wire.due:
            wire.due = True
            self._wires.append(wire)
            self._schedule()

    def add_fanout(self, fanout: "Fanout") -> None:
        """This channel has something to say."""
        self._fanouts.append(fanout)
        self._schedule()

    def give_up(self, wire: Wire) -> None:
        """End this wire's connection, but not while a channel's subscribers are being walked."""
        self._hopeless.append(wire)
        self._schedule()

    def deliver(self, wires: list[Wire], batch: Batch) -> None:
        """Write a batch to these now; those that have more to say keep it for later in the turn."""
        sockets = [-1 if wire.due else wire.socket for wire in wires]
        frame = batch.framed
        for index, written in self.frame_io.to_all(sockets, frame):
            wire = wires[index]
            if wire.due:
                wire.append(batch)
            elif sockets[index] < 0:
                wire.deliver(batch)
            else:
                wire.fell_short(frame, written)

    def leave(self) -> None:
        """Write everything that is due. The event loop calls this at the end of the turn."""
        self._scheduled = False
        fanouts, self._fanouts = self._fanouts, []
        merging = len(fanouts) > 1
        for fanout in fanouts:
            fanout.depart(merging=merging)
        wires, self._wires = self._wires, []
        straight: list[Wire] = []
        frames: list[bytes] = []
        for wire in wires:
            wire.due = False
            if wire.socket < 0:
                wire.depart()
            elif frame := wire.framed():
                straight.append(wire)
                frames.append(frame)
        for index, written in self.frame_io.to_each([each.socket for each in straight], frames):
            straight[index].fell_short(frames[index], written)
        hopeless, self._hopeless = self._hopeless, []
        for wire in hopeless:
            wire.give_up()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self.leave)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The one loop of this node; asking Python for it costs a system call before 3.12."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop
