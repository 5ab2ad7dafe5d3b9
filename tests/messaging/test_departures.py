"""One write per connection and turn of the event loop, and everything in its order."""

import asyncio

import pytest

from messaging.connections.departures import FRAME_BYTES, Batch, Departures, Wire
from messaging.connections.framing import frame_of
from messaging.delivery.fanout import Fanout
from messaging.protocol.codec import Codec
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF


class Written(Wire):
    """Notes every write."""

    def __init__(self, departures: Departures, codec: Codec = JSON) -> None:
        super().__init__(codec, departures)
        self.writes: list[list[bytes]] = []
        self.framed: list[bytes] = []
        self.hopeless = False

    def deliver(self, batch: Batch) -> None:
        self.writes.append(batch.parts)
        self.framed.append(batch.framed)

    def depart(self) -> None:
        waiting = self.frames()
        for batch in self.batches or ():
            waiting += batch.parts
        self.batches = None
        self.writes.append(waiting)

    def give_up(self) -> None:
        self.hopeless = True

    def close(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def tick(self, now: float) -> float | None: ...


@pytest.fixture
def departures() -> Departures:
    return Departures()


async def turn() -> None:
    await asyncio.sleep(0)


async def test_answers_of_one_turn_leave_in_one_frame(departures):
    wire = Written(departures)
    wire.send(b'{"id":1}')
    wire.send(b'{"id":2}')
    assert wire.writes == []

    await turn()

    assert wire.writes == [[b'{"id":1}\n{"id":2}']]


async def test_publications_of_one_turn_are_joined_once_for_all(departures):
    fanout, wires = Fanout(departures), [Written(departures) for _ in range(3)]
    for wire in wires:
        fanout.add(wire)
    fanout.send(JSON, b"one")
    fanout.send(JSON, b"two")

    await turn()

    assert [wire.writes for wire in wires] == [[[b"one", b"two"]]] * 3
    assert wires[0].framed == [b"\x81\x03one\x81\x03two"]
    assert wires[0].framed[0] is wires[1].framed[0] is wires[2].framed[0]


async def test_each_format_has_its_own(departures):
    fanout = Fanout(departures)
    text, binary = Written(departures), Written(departures, PROTOBUF)
    fanout.add(text)
    fanout.add(binary)
    assert set(fanout.codecs) == {JSON, PROTOBUF}
    fanout.send(JSON, b"text")
    fanout.send(PROTOBUF, b"binary")

    await turn()

    assert text.framed == [b"\x81\x04text"]
    assert binary.framed == [b"\x82\x06binary"]


async def test_a_wires_own_answers_go_before_what_its_channel_was_sent_in_one_write(departures):
    fanout, busy, idle = Fanout(departures), Written(departures), Written(departures)
    fanout.add(busy)
    fanout.add(idle)
    fanout.send(JSON, b"publication")
    busy.send(b"answer")

    await turn()

    assert busy.writes == [[b"answer", b"publication"]]
    assert idle.writes == [[b"publication"]]


async def test_several_busy_channels_leave_in_one_write(departures):
    one, two = Fanout(departures), Fanout(departures)
    both, first = Written(departures), Written(departures)
    for fanout, wire in ((one, both), (two, both), (one, first)):
        fanout.add(wire)
    one.send(JSON, b"of one")
    two.send(JSON, b"of two")

    await turn()

    assert both.writes == [[b"of one", b"of two"]]
    assert first.writes == [[b"of one"]]


async def test_who_joins_is_not_sent_what_waited_before(departures):
    fanout, early, late = Fanout(departures), Written(departures), Written(departures)
    fanout.add(early)
    fanout.send(JSON, b"before")
    fanout.add(late)
    fanout.send(JSON, b"after")

    await turn()

    assert early.writes == [[b"before"], [b"after"]]
    assert late.writes == [[b"after"]]


async def test_who_leaves_is_not_sent_what_waits(departures):
    fanout, wire = Fanout(departures), Written(departures)
    fanout.add(wire)
    fanout.send(JSON, b"too late")
    fanout.discard(wire)
    fanout.discard(wire)

    await turn()

    assert wire.writes == []
    assert len(fanout) == 0


async def test_what_was_left_with_a_wire_is_written_before_the_answer_to_leaving(departures):
    """It is left there when somebody joins in the middle of a turn."""
    fanout, wire = Fanout(departures), Written(departures)
    fanout.add(wire)
    wire.send(b"earlier answer")
    fanout.send(JSON, b"publication")
    fanout.add(Written(departures))

    fanout.discard(wire)
    wire.send(b"unsubscribed")
    await turn()

    assert wire.writes == [[b"earlier answer", b"publication"], [b"unsubscribed"]]


async def test_who_is_given_up_while_others_are_served_ends_after_them(departures):
    class Full(Written):
        def deliver(self, batch: Batch) -> None:
            super().deliver(batch)
            departures.give_up(self)

    fanout, full, other = Fanout(departures), Full(departures), Written(departures)
    fanout.add(full)
    fanout.add(other)
    fanout.send(JSON, b"x")

    await turn()

    assert full.hopeless
    assert other.writes == [[b"x"]]


async def test_many_answers_are_cut_into_frames_of_a_decent_size(departures):
    wire = Written(departures)
    answers = [b"%05d" % number + b"x" * 1000 for number in range(200)]
    for answer in [*answers, b"y" * FRAME_BYTES * 2]:
        wire.send(answer)

    await turn()

    [frames] = wire.writes
    assert all(len(frame) <= FRAME_BYTES for frame in frames[:-1])
    assert b"\n".join(frames) == b"\n".join([*answers, b"y" * FRAME_BYTES * 2])


@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_has_the_shortest_header(size, header):
    assert frame_of(b"x" * size, binary=False) == header + b"x" * size
