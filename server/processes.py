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

READY_WITHIN = 60.0
"""Seconds that a successor may take until it serves."""


class Nursery:
    """Starts `count` children, restarts those that die, and ends them all when told to.

    Each child inherits the listening sockets and is a node of its own. A child ends when its
    standard input does, so children never outlive the parent, even when that is killed. It
    writes a byte to the descriptor that `command` is given once it serves. SIGHUP replaces the
    children one after the other, with the release and the settings there are now.
    """

    def __init__(
        self,
        *,
        count: int,
        command: Callable[[int, int], Sequence[str]],
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
        self._renewal = asyncio.Event()
        self._children: dict[int, _Child] = {}
        self._living: set[_Child] = set()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT reaches the parent and every child has left."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._end, sign)
        loop.add_signal_handler(signal.SIGHUP, self._renewal.set)
        renewing = asyncio.create_task(self._renew_when_asked(), name="renewal")
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._keep(number), name=f"node:{number}")
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        for successor in list(self._living):
            await successor.ended

    def _end(self, sign: signal.Signals) -> None:
        self._stop.ask()
        for child in self._living:
            child.signal(sign)

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
        """Until the child and those who replaced it have ended; the exit code of the last."""
        last = self._children[number] = await self._start(number)
        while True:
            code = await last.ended
            if self._children[number] is last:
                del self._children[number]
                return code
            last = self._children[number]

    async def _renew_when_asked(self) -> None:
        while True:
            await self._renewal.wait()
            self._renewal.clear()
            log.info("renewing nodes", extra={"nodes": self._count})
            for number in list(self._children):
                if not await self._replace(number):
                    break
            else:
                log.info("nodes renewed", extra={"nodes": self._count})

    async def _replace(self, number: int) -> bool:
        """Let a successor take over once it serves; whether it did.

        Otherwise the renewal ends here, so that a bad release costs no node its clients.
        """
        successor = await self._start(number)
        try:
            async with asyncio.timeout(READY_WITHIN):
                is_ready = await successor.ready
        except TimeoutError:
            is_ready = False
        child = self._children.get(number)
        if not is_ready or child is None:
            # Without a predecessor, which died meanwhile, the next one is on its way already.
            log.error("renewal stopped", extra={"node": number, "pid": successor.pid})
            successor.signal(signal.SIGKILL)
            return False
        self._children[number] = successor
        child.signal(signal.SIGTERM)
        await child.ended
        return True

    async def _start(self, number: int) -> "_Child":
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command(number, writing),
                stdin=asyncio.subprocess.PIPE,
                pass_fds=(*self._inherits, writing),
                # A Ctrl+C in the terminal reaches the parent alone; it tells the children, once.
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        child = _Child(process, reading)
        self._living.add(child)
        child.ended.add_done_callback(lambda _: self._living.discard(child))
        if self._stop.asked:
            child.signal(signal.SIGTERM)
        log.info("node started", extra={"node": number, "pid": child.pid})
        return child


class _Child:
    """One process. `ready` says whether it serves, or ended before; `ended` its exit code."""

    def __init__(self, process: asyncio.subprocess.Process, reading: int) -> None:
        self._process = process
        self.pid = process.pid
        self.ended = asyncio.create_task(process.wait(), name=f"child:{process.pid}")
        self.ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(reading, self._said, reading)

    def signal(self, sign: signal.Signals) -> None:
        # It may have died a moment ago; the others must hear of it all the same.
        with suppress(ProcessLookupError):
            self._process.send_signal(sign)

    def _said(self, reading: int) -> None:
        asyncio.get_running_loop().remove_reader(reading)
        said = os.read(reading, 1)
        os.close(reading)
        if not self.ready.done():
            self.ready.set_result(bool(said))


def this_program() -> list[str]:
    """How to start `zaffa` again with the interpreter and the packages that run now."""
    return [sys.executable, "-m", "server"]
