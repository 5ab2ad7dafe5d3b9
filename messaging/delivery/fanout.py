"""The subscribers of one channel, as what they are sent leaves: joined once for each format."""

from collections.abc import Iterable

from messaging.connections.departures import Batch, Departures, Wire
from messaging.protocol.codec import Codec


class Fanout:
    """The wires of one channel's subscribers, by wire format, and what they are to be sent."""

    __slots__ = ("_departures", "_groups", "_waiting")

    def __init__(self, departures: Departures) -> None:
        self._departures = departures
        self._groups: dict[Codec, dict[Wire, None]] = {}
        self._waiting: dict[Codec, list[bytes]] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    @property
    def codecs(self) -> Iterable[Codec]:
        """The formats that somebody listens in."""
        return self._groups

    def add(self, wire: Wire) -> None:
        """From now on send to `wire`; what waits already is not for it and leaves first."""
        if self._waiting:
            self._depart(merging=False)
        self._groups.setdefault(wire.codec, {})[wire] = None

    def discard(self, wire: Wire) -> None:
        """Send nothing more to `wire`, not even what waits."""
        if wire.batches is not None:
            # What was left with the wire is older than the news that it is unsubscribed.
            wire.depart()
        group = self._groups.get(wire.codec)
        if group is not None:
            group.pop(wire, None)
            if not group:
                del self._groups[wire.codec]

    def send(self, codec: Codec, encoded: bytes) -> None:
        """Let a publication leave at the end of this turn to all who listen in this format."""
        if self._waiting is None:
            self._waiting = {}
            self._departures.add_fanout(self)
        self._waiting.setdefault(codec, []).append(encoded)
        if self._departures.tap is not None:
            self._departures.tap.pushed(self._groups.get(codec, ()), codec, encoded)

    def depart(self, *, merging: bool) -> None:
        """Write what waits, or leave it with the wires when they have other things to say."""
        if self._waiting:
            self._depart(merging=merging)

    def _depart(self, *, merging: bool) -> None:
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        for codec, parts in waiting.items():
            wires = self._groups.get(codec)
            if wires is None:
                continue
            batch = Batch(parts, binary=codec.binary)
            if merging:
                for wire in wires:
                    self._departures.add(wire)
                    wire.append(batch)
            else:
                self._departures.deliver(list(wires), batch)
