"""Workers: loops that run as long as the node, one step at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from kernel.clock import Clock


class Stop:
    """Asks workers to finish the step they are in and return."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    @property
    def asked(self) -> bool:
        return self._event.is_set()

    def ask(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()


class Pulse:
    """Wakes a worker of this process early: there may be something to do.

    Beating one beats `others` as well.
    """

    def __init__(self, *others: "Pulse") -> None:
        self._event = asyncio.Event()
        self._others = others

    def beat(self) -> None:
        self._event.set()
        for other in self._others:
            other.beat()

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()


class Worker(Protocol):
    """One loop. What it cannot explain ends `run`, and the supervisor starts it again."""

    @property
    def name(self) -> str: ...

    async def run(self, stop: Stop) -> None:
        """Work until `stop` is asked; finish the step under way, then return."""
        ...


async def repeat(
    step: Callable[[], Awaitable[int]],
    *,
    clock: Clock,
    stop: Stop,
    idle: float,
    pulse: Pulse | None = None,
) -> None:
    """Step again and again; after a step that found nothing, rest up to `idle` seconds.

    A rest ends early when `pulse` beats or `stop` is asked.
    """
    while not stop.asked:
        if await step() == 0:
            await rest(idle, clock=clock, stop=stop, pulse=pulse)


async def rest(
    seconds: float | None, *, clock: Clock, stop: Stop, pulse: Pulse | None = None
) -> None:
    """Sleep, unless `stop` is asked or `pulse` beats first; with None, until one of them does."""
    waits = [asyncio.create_task(stop.wait())]
    if seconds is not None:
        waits.append(asyncio.create_task(clock.sleep(seconds)))
    if pulse is not None:
        waits.append(asyncio.create_task(pulse.wait()))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        for wait in waits:
            with suppress(asyncio.CancelledError):
                await wait
