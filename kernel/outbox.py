"""The outbox: facts and wishes that were committed and still need handling."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be handled after the transaction that writes it has committed.

    `payload` is JSON text. Writing the same `dedupe_key` twice stores one entry. An entry
    that tells of a stream's growth names the stream's channel and the offset it reached.
    """

    kind: str
    payload: bytes
    dedupe_key: str | None = None
    due_at: datetime | None = None
    channel: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """An entry taken for handling. `fence` tells this taking from every other one."""

    id: int
    kind: str
    payload: bytes
    attempts: int
    created_at: datetime
    fence: int


@dataclass(frozen=True, slots=True)
class Moved:
    """Which streams grew since a cursor: channel to the highest offset written."""

    cursor: int
    offsets: Mapping[str, int]


LOOK = 10_000
"""So many entries are looked at to say how many there are: more are more than enough to know."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits. Of what is due the `LOOK` entries that are due longest are looked at, and other
    numbers are at most that: where it says less, it is exact.

    The highest age is exact in any case: a kind that is not among them has nothing older.
    """

    ages: Mapping[str, float]
    """Per kind, since how many seconds the oldest is due."""
    ready: int = 0
    """Due, and free to be taken."""
    leased: int = 0
    """Due, and in somebody's hands."""
    abandoned: int = 0
    """Due, and taken by somebody whose lease ended before it was done."""
    later: int = 0
    """Not due yet."""
    buried: int = 0
    """Failed for good, until an operator sees to it."""


class Outbox(Protocol):
    """At least once. Every method is one whole transaction."""

    async def add(self, entries: Sequence[Entry]) -> None:
        """Write entries that no other write causes."""
        ...

    async def claim(
        self, kinds: Sequence[str], *, now: datetime, lease: timedelta, limit: int
    ) -> list[Claimed]:
        """Due entries that nobody holds, oldest first, now held until `now + lease`."""
        ...

    async def settle(
        self, done: Sequence[Claimed], *, then: Sequence[Entry] = (), now: datetime
    ) -> int:
        """Finish entries and write what follows from them, in one transaction.

        All or nothing: if any of them is no longer held by this taking, nothing is
        written and 0 is returned; otherwise how many were finished.
        """
        ...

    async def postpone(self, entry: Claimed, *, until: datetime | None, error: str) -> bool:
        """Give a failed entry back, due at `until`, or bury it (None) for an operator to see.

        Whether it was still held.
        """
        ...

    async def moved(self, after: int | None) -> Moved:
        """What streams grew after a cursor; None asks for the present cursor only.

        No committed entry is skipped, whatever order transactions commit in; an entry may be
        told of again. Entries are kept for at least `RETENTION` after they are written.
        """
        ...

    async def prune(self, *, now: datetime, limit: int) -> int:
        """Delete settled entries older than `RETENTION`; how many."""
        ...

    async def backlog(self, *, now: datetime) -> Backlog:
        """What waits, at a price that does not grow with it."""
        ...


RETENTION = timedelta(minutes=10)

Handler = Callable[[Sequence[Claimed]], Awaitable[Sequence[Entry]]]
"""Handles entries of one kind and returns what follows from them.

It may be called again with the same entries, so what it writes itself carries dedupe keys;
what it returns is written exactly once, together with the settling.
"""
