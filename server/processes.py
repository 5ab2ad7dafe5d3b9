"""Several nodes on one machine: a parent that holds the port and keeps its children running."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from kernel.backoff import Backoff
from kernel.clock import Clock
from kernel.workers import Stop, rest

log = logging.getLogger(__name__)

HEALTHY_AFTER = 60.0
"""Seconds of work after which a child's earlier failures are forgotten."""


class Nursery:
    """Starts `count` children, restarts those that die, and ends them all when told to.

    Each child inherits the listening sockets and is a node of its own. A child ends when its
    standard input does, so children never outlive the parent, even when that is killed.
    """

    def __init__(
        self,
        *,
        count: int,
        command: Callable[[int], Sequence[str]],
        inherits: Sequence[int],
        clock: Clock,
        backoff: Backoff = Backoff(first=0.5, cap=30.0),  # noqa: B008 - frozen
    ) -> None:
        self._count = count
        self._command = command
        self._inherits = tuple(inherits)
        self._clock = clock
        self._backoff = backoff
        self._stop = Stop()
        self._children: dict[int, asyncio.subprocess.Process] = {}

    async def run(self) -> None:
        """Until SIGTERM or SIGINT reaches the parent and every child has left."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._end, sign)
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._keep(number), name=f"node:{number}")

    def _end(self, sign: signal.Signals) -> None:
        self._stop.ask()
        for child in self._children.values():
            _signal(child, sign)

    async def _keep(self, number: int) -> None:
        failures = 0
        while not self._stop.asked:
            began = self._clock.monotonic()
            code = await self._live(number)
            if self._stop.asked:
                return
            if self._clock.monotonic() - began > HEALTHY_AFTER:
                failures = 0
            failures += 1
            delay = self._backoff.delay(failures)
            log.error(
                "node ended",
                extra={"node": number, "exit_code": code, "restart_in": round(delay, 2)},
            )
            await rest(delay, clock=self._clock, stop=self._stop)

    async def _live(self, number: int) -> int:
        child = await asyncio.create_subprocess_exec(
            *self._command(number),
            stdin=asyncio.subprocess.PIPE,
            pass_fds=self._inherits,
            # A Ctrl+C in the terminal reaches the parent alone; it tells the children, once.
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._children[number] = child
        if self._stop.asked:
            _signal(child, signal.SIGTERM)
        log.info("node started", extra={"node": number, "pid": child.pid})
        code = await child.wait()
        del self._children[number]
        return code


def _signal(child: asyncio.subprocess.Process, sign: signal.Signals) -> None:
    # It may have died a moment ago; the others must hear of it all the same.
    with suppress(ProcessLookupError):
        child.send_signal(sign)


def this_program() -> list[str]:
    """How to start `zaffa` again with the interpreter and the packages that run now."""
    return [sys.executable, "-m", "server"]
