"""Small questions, asked in rounds: whoever comes during one round is in the next."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q", bound=Hashable)

LARGEST = 500
"""Questions in one round, at most, so that none takes long."""


class Rounds(Generic[Q]):
    """One lookup for all who ask at the same time; nobody waits for company.

    `look` says which of some questions have a yes. Unlike with `Flights`, whoever asks is never
    told what was looked up before they asked.
    """

    def __init__(self, look: Callable[[Collection[Q]], Awaitable[Collection[Q]]]) -> None:
        self._look = look
        self._asking: list[tuple[Q, asyncio.Future[bool]]] = []
        self._running: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> bool:
        """The answer of the next round, or its failure."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asking.append((question, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="rounds")
        return await answer

    async def _run(self) -> None:
        try:
            while self._asking:
                asking, self._asking = self._asking[:LARGEST], self._asking[LARGEST:]
                await self._answer(asking)
        finally:
            self._running = None

    async def _answer(self, asking: Sequence[tuple[Q, asyncio.Future[bool]]]) -> None:
        questions = {question for question, _ in asking}
        looking: asyncio.Future[Collection[Q]] = asyncio.ensure_future(self._look(questions))
        # Whatever goes wrong is for those who ask to know: none may wait for ever.
        await asyncio.wait([looking])
        error = looking.exception()
        for question, answer in asking:
            if answer.done():  # Who asked has gone away.
                continue
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(question in looking.result())
