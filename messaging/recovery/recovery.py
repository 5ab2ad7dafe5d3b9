"""From a client's position to what it missed: everything, or nothing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.bus import Publication, StreamPosition
from kernel.options import option


@dataclass(frozen=True, slots=True)
class RecoveryOptions:
    """How much a returning client may be given at once."""

    publications: int = option(
        300, "Publications a client may recover; one that missed more reloads its conversation."
    )
    recovered_bytes: int = option(
        524_288,
        "Bytes of publications that one answer may hold, recovered in all its channels or read"
        " from history. Old Python clients refuse frames above 1 MiB.",
    )

    def __post_init__(self) -> None:
        if self.publications < 0:
            raise ValueError("publications must not be negative")
        if self.recovered_bytes < 0:
            raise ValueError("recovered_bytes must not be negative")


def missed(since: StreamPosition, top: StreamPosition, *, options: RecoveryOptions) -> int | None:
    """How many publications after `since` there are up to `top`; None if they cannot be given.

    A client that never heard of an epoch sends an empty one; one whose state was invalidated
    sends "_", which is no epoch of ours.
    """
    if since.epoch not in ("", top.epoch) or since.offset > top.offset:
        return None
    count = top.offset - since.offset
    return count if count <= options.publications else None


def is_whole(
    publications: Sequence[Publication],
    *,
    since: int,
    top: StreamPosition,
    options: RecoveryOptions,
) -> bool:
    """Whether these are exactly the publications after `since` up to `top`, and not too heavy."""
    expected = since
    for publication in publications:
        expected += 1
        if publication.position != StreamPosition(expected, top.epoch):
            return False
    if expected != top.offset:
        return False
    return sum(map(_weight, publications)) <= options.recovered_bytes


def _weight(publication: Publication) -> int:
    """Bytes that a publication takes in an answer, roughly."""
    return len(publication.data) + len(publication.extra)
