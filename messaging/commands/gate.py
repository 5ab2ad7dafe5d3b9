"""Admission: only so many at once. The others wait a moment for their turn, or come back."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kernel.errors import Unavailable
from kernel.options import option
from messaging.protocol.codes import ErrorCode
from messaging.refusals import Declined


@dataclass(frozen=True, slots=True)
class GateOptions:
    """How many connects and subscribes a node works on at once, and for how long."""

    admitted: int = option(
        256, "Connects and subscribes a node works on at once; the rest wait for their turn."
    )
    wait_seconds: float = option(
        2.0,
        "How long they wait before they are told to come back: each a random part of it, at "
        "least half.",
    )
    answer_seconds: float = option(
        4.0,
        "How long a connect or subscribe may take, waiting included. Clients give up after 5 "
        "seconds.",
    )

    def __post_init__(self) -> None:
        if self.admitted < 1:
            raise ValueError("admitted must be at least 1")
        if not 0 <= self.wait_seconds < self.answer_seconds:
            raise ValueError("wait_seconds must not be negative, and below answer_seconds")


class Gate:
    """Lets so many through at the same time, in the order they came.

    Whoever is refused was kept for a moment, each for another one: clients have no place for a
    hint when to come back, but they count their own delays from the answer on. So those who
    were refused together do not come back together.
    """

    def __init__(self, options: GateOptions) -> None:
        self._options = options
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether whoever comes now need not wait: nor need they enter who are done at once."""
        return self._inside < self._options.admitted

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Be inside for a while. Raises `Declined` when it stays full, `Unavailable` when late.

        Both are temporary errors: better told in time than guessed after a timeout.
        """
        try:
            async with asyncio.timeout(self._options.answer_seconds):
                await self._enter()
                try:
                    yield
                finally:
                    self._leave()
        except TimeoutError:
            raise Unavailable("This took too long.") from None

    async def _enter(self) -> None:
        if self.has_room:
            self._inside += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        patience = self._options.wait_seconds * random.uniform(0.5, 1.0)  # noqa: S311
        try:
            await asyncio.wait({turn}, timeout=patience)
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        if not turn.done():
            self._give_up(turn)
            raise Declined(ErrorCode.TOO_MANY_REQUESTS)

    def _leave(self) -> None:
        """Give the place to whoever has waited longest, or leave it free."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._inside -= 1

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        if turn.done():
            self._leave()
        else:
            turn.cancel()
