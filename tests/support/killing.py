"""Processes to be killed, and a clock that runs ahead of ours in all of them."""

import asyncio
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any


@dataclass(frozen=True, slots=True)
class HurriedClock:
    """`pace` seconds pass in each of ours, in every process that has a copy."""

    pace: float = 10.0
    began_at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.began_at + self._passed(), UTC)

    def monotonic(self) -> float:
        return self.began + self._passed()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds / self.pace))

    def _passed(self) -> float:
        return (time.monotonic() - self.began) * self.pace


class Killable:
    """One process that does `work` with what it is given, until its pipe ends."""

    def __init__(self, work: Callable[[Any, Connection], None], given: object) -> None:
        self._work = work
        self._given = given
        # Forked from a process that has loaded everything already, so that it is there at once.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([work.__module__])
        self._process: BaseProcess | None = None
        self._ours: Connection | None = None

    @property
    def ours(self) -> Connection:
        """Our end of its pipe."""
        assert self._ours is not None
        return self._ours

    def spawn(self) -> None:
        self._ours, theirs = self._context.Pipe()
        self._process = self._context.Process(  # type: ignore[attr-defined]
            target=self._work, args=(self._given, theirs), daemon=True
        )
        assert self._process is not None
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        """SIGKILL, unless it has ended well by itself."""
        assert self._process is not None
        self._process.kill()
        self._process.join()
        assert self._process.exitcode in (0, -signal.SIGKILL)

    def end(self) -> None:
        """Ask it to stop, and wait until what was in the air has landed."""
        assert self._process is not None
        assert self._ours is not None
        self._ours.close()
        self._process.join(300)
        assert self._process.exitcode == 0


@contextmanager
def at_work(killable: Sequence[Killable]) -> Iterator[Sequence[Killable]]:
    """All of them at work."""
    for each in killable:
        each.spawn()
    try:
        yield killable
    except BaseException:
        for each in killable:
            each.kill()
        raise
    for each in killable:
        each.end()


async def until_told(pipe: Connection) -> None:
    """Wait for the end of the pipe: of whoever started this process, however it came."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe.fileno(), told.set)
    try:
        await told.wait()
    finally:
        loop.remove_reader(pipe.fileno())
