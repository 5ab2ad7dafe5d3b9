"""Keeps a channel's publications in offset order: next, stale, early. Pure."""

from kernel.bus import Publication, StreamPosition

EARLY = 64
"""Early publications that are kept for later. The log has whatever is dropped."""


class Ordering:
    """One channel's place in its stream, and what came before its turn.

    A publication is a hint, and the log the truth: whatever is lost, repeated or overtaken on
    the way, what `take` gives, over time, is every offset once and in order, as long as
    somebody reads the log from `offset` on whenever this is `behind`.
    """

    __slots__ = ("_early", "epoch", "known", "offset")

    def __init__(self, position: StreamPosition) -> None:
        self.offset = position.offset
        self.epoch = position.epoch
        self.known = position.offset
        """The highest offset anybody has told of."""
        self._early: dict[int, Publication] | None = None

    @property
    def position(self) -> StreamPosition:
        """The last publication that went out."""
        return StreamPosition(self.offset, self.epoch)

    @property
    def behind(self) -> bool:
        """Whether the log has publications that have not gone out."""
        return self.known > self.offset

    def take(self, publication: Publication) -> list[Publication]:
        """What may go out now that `publication` is here. It has a position of this epoch."""
        position = publication.position
        assert position is not None, "a publication without a position has no order"
        assert position.epoch == self.epoch, "offsets of another epoch cannot be compared"
        offset = position.offset
        if offset <= self.offset:
            return []
        self.known = max(self.known, offset)
        if offset > self.offset + 1:
            self._keep(offset, publication)
            return []
        due = [publication]
        self.offset = offset
        if self._early is not None:
            self._release(due)
        return due

    def heard_of(self, offset: int) -> None:
        """Somebody says that the stream reaches `offset`."""
        self.known = max(self.known, offset)

    def nothing_more(self) -> None:
        """The log was read and ends here: whoever told of more was wrong."""
        self.known = self.offset
        self._early = None

    def _keep(self, offset: int, publication: Publication) -> None:
        if self._early is None:
            self._early = {}
        if len(self._early) < EARLY:
            self._early[offset] = publication

    def _release(self, due: list[Publication]) -> None:
        early = self._early
        assert early is not None
        while (following := early.pop(self.offset + 1, None)) is not None:
            self.offset += 1
            due.append(following)
        # What was read from the log meanwhile may lie here still.
        for offset in [each for each in early if each <= self.offset]:
            del early[offset]
        if not early:
            self._early = None
