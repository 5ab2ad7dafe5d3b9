"""Dispatchers in processes of their own, to be killed; their time runs ahead of ours."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from kernel.notices import Urgency
from kernel.workers import Pulse, Stop
from notifications.adapters.apns import ApnsOptions, ApnsProvider
from notifications.adapters.fcm import FcmOptions, FcmProvider
from notifications.adapters.sql_devices import SqlDevices
from notifications.adapters.sql_ledger import SqlLedger
from notifications.adapters.sql_pushes import SqlPushes
from notifications.dispatcher import Dispatcher, DispatcherOptions
from notifications.feedback import Feedback
from notifications.throttle import ThrottleOptions
from notifications.upkeep import Upkeep, UpkeepOptions


@dataclass(frozen=True, slots=True)
class HurriedClock:
    """Ten seconds pass in each of ours, in every process that has a copy."""

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


@dataclass(frozen=True, slots=True)
class Post:
    """What a dispatcher needs to know."""

    database: str
    fcm: FcmOptions
    apns: ApnsOptions
    clock: HurriedClock
    options: DispatcherOptions


class KillableDispatcher:
    """One process that claims, sends, settles and looks after what others left behind."""

    def __init__(self, post: Post) -> None:
        self._post = post
        # Forked from a process that has loaded everything already, so that it is there at once.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._process: BaseProcess | None = None
        self._ours: Connection | None = None

    def spawn(self) -> None:
        self._ours, theirs = self._context.Pipe()
        self._process = self._context.Process(  # type: ignore[attr-defined]
            target=_main, args=(self._post, theirs), daemon=True
        )
        assert self._process is not None
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        assert self._process is not None
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()

    def end(self) -> None:
        """Ask it to stop, and wait until what was in the air has landed."""
        assert self._process is not None
        assert self._ours is not None
        self._ours.close()
        self._process.join(300)
        assert self._process.exitcode == 0


@contextmanager
def dispatchers(number: int, post: Post) -> Iterator[list[KillableDispatcher]]:
    """So many of them at work."""
    posted = [KillableDispatcher(post) for _ in range(number)]
    for each in posted:
        each.spawn()
    yield posted
    for each in posted:
        each.end()


def _main(post: Post, pipe: Connection) -> None:
    asyncio.run(_dispatch(post, pipe))


async def _dispatch(post: Post, pipe: Connection) -> None:
    clock, metrics, stop = post.clock, Metrics(), Stop()
    # The end of the pipe is the end of whoever started this, however it came.
    asyncio.get_running_loop().add_reader(pipe.fileno(), stop.ask)
    database = Database(DatabaseOptions(url=post.database, sqlite_synchronous="NORMAL"))
    store, devices = SqlPushes(database), SqlDevices(database)
    fcm = FcmProvider(post.fcm, clock=SystemClock())
    apns = ApnsProvider(post.apns, clock=SystemClock())
    await fcm.open()
    await apns.open()
    dispatcher = Dispatcher(
        store=store,
        providers=dict.fromkeys(Urgency, (fcm, apns)),
        feedback=Feedback(devices=devices, clock=clock, metrics=metrics),
        clock=clock,
        metrics=metrics,
        options=post.options,
        throttle=ThrottleOptions(ramp_seconds=0),
        pulse=Pulse(),
    )
    upkeep = Upkeep(
        store=store,
        ledger=SqlLedger(database),
        devices=devices,
        clock=clock,
        metrics=metrics,
        options=UpkeepOptions(every_seconds=2.0),
    )
    async with asyncio.TaskGroup() as working:
        working.create_task(dispatcher.run(stop))
        working.create_task(upkeep.run(stop))
    await fcm.close()
    await apns.close()
    await database.close()
