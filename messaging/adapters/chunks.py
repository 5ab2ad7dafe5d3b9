"""Questions about many ids, cut into pieces: databases limit the parameters of a statement."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

IDS = 1000


def chunks(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """The same ids, at most `IDS` at a time."""
    for start in range(0, len(ids), IDS):
        yield ids[start : start + IDS]
