"""Group commit: appends that arrive while one batch commits are the next batch.

One transaction costs about the same for one message as for hundreds, so the busier it gets,
the less a message costs. Nothing ever waits for company: a batch starts when the one before
it has ended.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from kernel.errors import Refusal, Unavailable
from kernel.metrics import Metrics
from kernel.options import option

A = TypeVar("A")
"""What is to be appended."""
S = TypeVar("S")
"""What it is once it is stored."""

AT_ONCE = 32
"""Of those whose messages are stored, how many are told in one turn of the event loop."""

TRIES = 5
"""How often a batch is tried that other writers overtake."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How messages are gathered into transactions."""

    size: int = option(500, "Messages in one transaction, at most. More is faster, and later.")
    waiting: int = option(
        10_000, "Messages that may wait for a transaction; further ones are refused at once."
    )

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError("size must be at least 1")
        if self.waiting < self.size:
            raise ValueError("waiting must be at least size")


Commit = Callable[[Sequence[A]], Awaitable[Sequence[S | Refusal]]]
"""Stores what has different keys in one transaction; what became of each, in order.

Raises `Overtaken` if the same may succeed when it is tried again, `Unavailable` if nothing can
be stored at the moment, and anything else if something is wrong with one of them.
"""


class Overtaken(Exception):
    """Other writers came in between and nothing was stored; its text goes to the caller."""


class Batches(Generic[A, S]):
    """Joins appends of one process into transactions, one at a time, in order of arrival.

    Appends of the same `key` are one: all who wait for it are told the same. `noun` names what
    is stored, in metrics.
    """

    def __init__(
        self,
        commit: Commit[A, S],
        *,
        key: Callable[[A], Hashable],
        options: BatchOptions,
        metrics: Metrics,
        noun: str = "message",
    ) -> None:
        self._commit = commit
        self._key = key
        self._noun = noun
        self._options = options
        self._waiting: deque[_Waiting[A, S]] = deque()
        self._draining: asyncio.Task[None] | None = None
        self._stored: deque[tuple[_Waiting[A, S], S | Refusal]] = deque()
        self._telling = False
        self._closed = False
        self._sizes = metrics.histogram(
            f"messaging_batch_{noun}s",
            f"How many {noun}s are stored by one transaction.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
        )
        self._overtaken = metrics.counter(
            f"messaging_{noun}_batches_overtaken_total",
            "Batches tried again because of other writers.",
        )

    async def append(self, item: A) -> S:
        """Store something with the next batch. What was accepted is stored, whoever still waits."""
        if self._closed:
            raise Unavailable("The server is stopping.")
        if len(self._waiting) >= self._options.waiting:
            raise Unavailable(f"Too many {self._noun}s wait to be stored.")
        stored: asyncio.Future[S] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, stored))
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name=f"{self._noun}-batches")
        return await stored

    async def close(self) -> None:
        """Accept nothing more, and return when what was accepted is stored or refused, and told."""
        self._closed = True
        if self._draining is not None:
            await asyncio.wait([self._draining])
        while self._stored:
            self._tell()

    async def _drain(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), self._options.size)
                await self._store([self._waiting.popleft() for _ in range(size)])
        finally:
            self._draining = None

    def _tell(self) -> None:
        """Tell some of those whose messages are stored, and the others in the next turns.

        What each does then takes a while. Meanwhile the next batch must not wait to be sent on.
        """
        for _ in range(min(AT_ONCE, len(self._stored))):
            waiting, outcome = self._stored.popleft()
            waiting.settle(outcome)
        self._telling = bool(self._stored)
        if self._telling:
            asyncio.get_running_loop().call_soon(self._tell)

    async def _store(self, batch: Sequence["_Waiting[A, S]"]) -> None:
        by_key: dict[Hashable, list[_Waiting[A, S]]] = defaultdict(list)
        for each in batch:
            by_key[self._key(each.item)].append(each)
        firsts = [same[0].item for same in by_key.values()]
        for _ in range(TRIES):
            committing = asyncio.ensure_future(self._commit(firsts))
            # Whatever goes wrong is for the callers to know: none of them may wait for ever.
            await asyncio.wait([committing])
            error = committing.exception()
            if not isinstance(error, Overtaken):
                break
            self._overtaken.inc()
        if error is None:
            self._sizes.observe(len(firsts))
            for same, outcome in zip(by_key.values(), committing.result(), strict=True):
                self._stored.extend((each, outcome) for each in same)
            if not self._telling:
                self._tell()
        elif isinstance(error, Unavailable | Overtaken):
            for each in batch:
                # One exception per caller: each raise writes a traceback into it.
                each.settle(Unavailable(str(error)))
        elif len(firsts) == 1:
            for each in batch:
                each.settle(error)
        else:
            # One of them is bad and took its neighbours along. Halving finds it.
            middle = len(batch) // 2
            await self._store(batch[:middle])
            await self._store(batch[middle:])


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[A, S]):
    item: A
    stored: asyncio.Future[S]

    def settle(self, outcome: S | BaseException) -> None:
        if self.stored.done():  # The caller has gone away.
            return
        if isinstance(outcome, BaseException):
            self.stored.set_exception(outcome)
        else:
            self.stored.set_result(outcome)
