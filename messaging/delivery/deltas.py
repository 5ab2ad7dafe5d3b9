"""What changed from one publication of a channel to the next, for those who ask for that."""

from collections.abc import Callable, Iterable

import msgspec

from messaging.connections.departures import Batch, Departures, Wire
from messaging.delivery.fanout import Fanout
from messaging.protocol import fossil
from messaging.protocol.codec import Codec
from messaging.protocol.frames import Push
from messaging.protocol.values import Publication

KEPT = 128
KEPT_BYTES = 65_536
"""How much of a channel's changes is kept: many who return have missed the same publications."""


class Changes:
    """The changes along one channel's stream, each made once however many are sent it."""

    __slots__ = ("_bytes", "_made")

    def __init__(self) -> None:
        self._made: dict[int, bytes | None] = {}
        """By the offset they lead to; None where the publication itself is shorter."""
        self._bytes = 0

    def between(self, before: Publication, after: Publication) -> Publication:
        """`after` as what changed since `before`, or as it is where that is no longer.

        The order in which a client hears them counts, not whether their offsets adjoin.
        """
        offset = after.offset
        adjoining = offset > 0 and offset == before.offset + 1
        if adjoining and offset in self._made:
            change = self._made[offset]
        else:
            change = _change(before.data, after.data)
            if adjoining:
                self._keep(offset, change)
        if change is None:
            return after
        return msgspec.structs.replace(after, data=change, delta=True)

    def _keep(self, offset: int, change: bytes | None) -> None:
        self._made[offset] = change
        self._bytes += len(change or b"")
        while len(self._made) > KEPT or self._bytes > KEPT_BYTES:
            self._bytes -= len(self._made.pop(next(iter(self._made))) or b"")

    def chain(self, publications: Iterable[Publication], codec: Codec) -> list[Publication]:
        """Publications as a client takes them one after the other: the first one is whole."""
        chained: list[Publication] = []
        before: Publication | None = None
        for each in publications:
            said = each if before is None else self.between(before, each)
            chained.append(_quoted(said, codec))
            before = each
        return chained


class DeltaFanout:
    """The wires of one channel's subscribers who are sent changes.

    Each is sent a whole publication first, and from then on what changed since the one before.
    A change is made once and encoded once for each wire format, like anything else.
    """

    __slots__ = ("_channel", "_departures", "_fanout", "_newcomers", "_previous", "changes")

    def __init__(self, channel: str, departures: Departures) -> None:
        self.changes = Changes()
        self._channel = channel
        self._departures = departures
        self._fanout = Fanout(departures)
        self._newcomers: dict[Wire, None] = {}
        """Who was sent nothing whole yet."""
        self._previous: Publication | None = None

    def __len__(self) -> int:
        return len(self._fanout) + len(self._newcomers)

    def add(self, wire: Wire) -> None:
        """From now on send to `wire`, beginning with a whole publication."""
        self._newcomers[wire] = None

    def discard(self, wire: Wire) -> None:
        """Send nothing more to `wire`, not even what waits."""
        self._newcomers.pop(wire, None)
        self._fanout.discard(wire)

    def send(self, publication: Publication) -> None:
        """Let a publication leave at the end of this turn, as each wire can take it."""
        if self._previous is not None and len(self._fanout):
            change = self.changes.between(self._previous, publication)
            for codec in self._fanout.codecs:
                self._fanout.send(codec, self._encoded(change, codec))
        self._previous = publication
        if self._newcomers:
            self._welcome(lambda codec: self._encoded(publication, codec))

    def tell(self, encode: Callable[[Codec], bytes]) -> None:
        """Let something else leave: no publication, so that it changes nothing."""
        for codec in self._fanout.codecs:
            self._fanout.send(codec, encode(codec))
        if self._newcomers:
            self._hand_over(self._newcomers, encode)

    def _welcome(self, encode: Callable[[Codec], bytes]) -> None:
        newcomers, self._newcomers = self._newcomers, {}
        self._hand_over(newcomers, encode)
        for wire in newcomers:
            self._fanout.add(wire)

    def _hand_over(self, wires: Iterable[Wire], encode: Callable[[Codec], bytes]) -> None:
        """Leave something with the wires themselves, encoded once for each format."""
        groups: dict[Codec, list[Wire]] = {}
        for wire in wires:
            groups.setdefault(wire.codec, []).append(wire)
        for codec, group in groups.items():
            encoded = encode(codec)
            batch = Batch([encoded], binary=codec.binary)
            for wire in group:
                self._departures.add(wire)
                wire.append(batch)
            if self._departures.tap is not None:
                self._departures.tap.pushed(group, codec, encoded)

    def _encoded(self, publication: Publication, codec: Codec) -> bytes:
        return codec.encode_push(Push(_quoted(publication, codec), self._channel))


def _quoted(publication: Publication, codec: Codec) -> Publication:
    return msgspec.structs.replace(publication, data=codec.quoted(publication.data))


def _change(before: bytes, after: bytes) -> bytes | None:
    """The delta, unless it saves nothing or is no text, as JSON connections need it."""
    change = fossil.delta(before, after)
    if len(change) >= len(after):
        return None
    try:
        change.decode()
    except UnicodeDecodeError:
        return None
    return change
