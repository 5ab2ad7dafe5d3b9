"""Group commit: appends that arrive while one batch commits are the next batch.

One transaction costs about the same for one message as for hundreds, so the busier it gets,
the less a message costs. Nothing ever waits for company: a batch starts when the one before
it has ended.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.errors import Refusal, Unavailable
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.options import option
from messaging.ports import Consequences
from messaging.types import Draft, Message

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


@dataclass(frozen=True, slots=True)
class Append:
    """A draft, and what follows once it is a message."""

    draft: Draft
    then: Consequences


Commit = Callable[[Sequence[Append]], Awaitable[Sequence[Message | Refusal]]]
"""Stores drafts of different keys in one transaction; a message or a refusal for each, in order.

Raises `Overtaken` if the same may succeed when it is tried again, `Unavailable` if nothing can
be stored at the moment, and anything else if something is wrong with one of the drafts.
"""


class Overtaken(Exception):
    """Other writers came in between and nothing was stored; its text goes to the sender."""


class MessageBatches:
    """Joins appends of one process into transactions, one at a time, in order of arrival."""

    def __init__(self, commit: Commit, *, options: BatchOptions, metrics: Metrics) -> None:
        self._commit = commit
        self._options = options
        self._waiting: deque[_Waiting] = deque()
        self._draining: asyncio.Task[None] | None = None
        self._closed = False
        self._sizes = metrics.histogram(
            "messaging_batch_messages",
            "Messages stored by one transaction.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
        )
        self._overtaken = metrics.counter(
            "messaging_batches_overtaken_total", "Batches tried again because of other writers."
        )

    async def append(self, draft: Draft, *, then: Consequences) -> Message:
        """Store a draft with the next batch. What was accepted is stored, whoever still waits."""
        if self._closed:
            raise Unavailable("The server is stopping.")
        if len(self._waiting) >= self._options.waiting:
            raise Unavailable("Too many messages wait to be stored.")
        stored: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(Append(draft, then), stored))
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="message-batches")
        return await stored

    async def close(self) -> None:
        """Accept nothing more, and return when what was accepted is stored or refused."""
        self._closed = True
        if self._draining is not None:
            await asyncio.wait([self._draining])

    async def _drain(self) -> None:
        try:
            while self._waiting:
                size = min(len(self._waiting), self._options.size)
                await self._store([self._waiting.popleft() for _ in range(size)])
        finally:
            self._draining = None

    async def _store(self, batch: Sequence["_Waiting"]) -> None:
        by_key: dict[_Key, list[_Waiting]] = defaultdict(list)
        for each in batch:
            by_key[_key(each.append.draft)].append(each)
        firsts = [same[0].append for same in by_key.values()]
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
                for each in same:
                    each.settle(outcome)
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


_Key = tuple[UUID, UserId, str]


def _key(draft: Draft) -> _Key:
    return draft.conversation_id, draft.sender_id, draft.idempotency_key


@dataclass(frozen=True, slots=True)
class _Waiting:
    append: Append
    stored: asyncio.Future[Message]

    def settle(self, outcome: Message | BaseException) -> None:
        if self.stored.done():  # The caller has gone away.
            return
        if isinstance(outcome, Message):
            self.stored.set_result(outcome)
        else:
            self.stored.set_exception(outcome)
