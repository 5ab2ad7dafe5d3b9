"""Admission: only so many at once, and the rest are told to come back, at once."""

import asyncio
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
        1000, "Connects and subscribes a node works on at once; the rest are told to come back."
    )
    answer_seconds: float = option(
        4.0, "How long a connect or subscribe may take. Clients give up after 5 seconds."
    )

    def __post_init__(self) -> None:
        if self.admitted < 1:
            raise ValueError("admitted must be at least 1")
        if self.answer_seconds <= 0:
            raise ValueError("answer_seconds must be above 0")


class Gate:
    """Lets so many through at the same time. Nobody queues: clients know how to come back."""

    def __init__(self, options: GateOptions) -> None:
        self._options = options
        self._inside = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Be inside for a while. Raises `Declined` when it is full, `Unavailable` after too long.

        Both are temporary errors: better told at once than guessed after a timeout.
        """
        if self._inside >= self._options.admitted:
            raise Declined(ErrorCode.TOO_MANY_REQUESTS)
        self._inside += 1
        try:
            async with asyncio.timeout(self._options.answer_seconds):
                yield
        except TimeoutError:
            raise Unavailable("This took too long.") from None
        finally:
            self._inside -= 1
