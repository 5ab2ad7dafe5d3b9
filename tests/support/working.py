"""Nodes that relay and dispatch, wired as the server wires them, in processes to be killed."""

import asyncio
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from kernel.adapters.database import DatabaseOptions
from notifications.apps.sealing import make_key
from notifications.dispatcher import DispatcherOptions
from notifications.sandbox.sandbox import Sandbox
from notifications.throttle import ThrottleOptions
from notifications.upkeep import UpkeepOptions
from server.roles import ServerRole
from server.wiring.building import assemble
from server.wiring.ground import Ground
from server.wiring.groups import Settings
from tests.support.killing import HurriedClock, Killable, until_told
from tests.support.rooms import Rooms
from tests.support.sandbox import apns_options, fcm_options
from tests.support.tokens import TOKEN_OPTIONS

ROLES = frozenset({ServerRole.RELAY, ServerRole.DISPATCHER})


@dataclass(frozen=True, slots=True)
class Job:
    """What a node needs to know."""

    settings: Settings
    clock: HurriedClock
    roles: frozenset[ServerRole] = ROLES

    def nodes(self, number: int) -> list[Killable]:
        return [Killable(_main, self) for _ in range(number)]

    def rooms(self) -> Rooms:
        """The same house, to ask for things; it does none of the work."""
        return Rooms(self.settings, self.clock)


def settings_of(
    sandbox: Sandbox,
    *,
    database_url: str,
    redis_url: str = "",
    webhooks_to: str = "",
    lease_seconds: float = 30.0,
) -> Settings:
    """A house whose providers are a sandbox elsewhere, and whose leases are short."""
    plain = Settings()
    return replace(
        plain,
        server=replace(plain.server, push="providers"),
        database=DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"),
        redis=replace(plain.redis, url=redis_url),
        tokens=TOKEN_OPTIONS,
        credentials=replace(plain.credentials, keys=(make_key("test"),)),
        webhooks=replace(plain.webhooks, own_origins=(webhooks_to,) if webhooks_to else ()),
        fcm=fcm_options(sandbox),
        apns=apns_options(sandbox),
        dispatcher=DispatcherOptions(lease_seconds=lease_seconds),
        throttle=ThrottleOptions(ramp_seconds=0),
        upkeep=UpkeepOptions(every_seconds=2.0),
    )


def _main(job: Job, pipe: Connection) -> None:
    asyncio.run(_work(job, pipe))


async def _work(job: Job, pipe: Connection) -> None:
    house = assemble(Ground(job.settings, job.roles, clock=job.clock))
    async with house.running():
        await until_told(pipe)
