"""Dispatchers in processes of their own, to be killed."""

import asyncio
from dataclasses import dataclass
from multiprocessing.connection import Connection

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
from tests.support.killing import HurriedClock, Killable, until_told


@dataclass(frozen=True, slots=True)
class Post:
    """What a dispatcher needs to know."""

    database: str
    fcm: FcmOptions
    apns: ApnsOptions
    clock: HurriedClock
    options: DispatcherOptions


def dispatchers(number: int, post: Post) -> list[Killable]:
    """So many that claim, send, settle and look after what others left behind."""
    return [Killable(_main, post) for _ in range(number)]


def _main(post: Post, pipe: Connection) -> None:
    asyncio.run(_dispatch(post, pipe))


async def _dispatch(post: Post, pipe: Connection) -> None:
    clock, metrics, stop = post.clock, Metrics(), Stop()
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
        await until_told(pipe)
        stop.ask()
    await fcm.close()
    await apns.close()
    await database.close()
