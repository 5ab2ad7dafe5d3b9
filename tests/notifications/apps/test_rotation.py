"""Two apps with credentials of their own, changed while pushes go out, against the sandbox."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.identity import Scope
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Urgency
from kernel.workers import Pulse, Stop
from notifications.adapters.apns import ApnsProvider
from notifications.adapters.fcm import FcmProvider
from notifications.adapters.sql_apps import SqlApps
from notifications.adapters.sql_surveys import SqlSurveys
from notifications.apps.apps import Apps
from notifications.apps.book import CredentialBook
from notifications.apps.checks import ProviderChecks
from notifications.apps.fleet import Fleet
from notifications.apps.reading import apns_credential, fcm_credential
from notifications.apps.sealing import KeyRing, make_key
from notifications.apps.types import ProviderName
from notifications.pushes import PushState
from notifications.sandbox.credentials import Files, init_app, make_credentials
from notifications.sandbox.sandbox import Sandbox
from notifications.types import DEFAULT_APP
from tests.support.factories_notifications import Room, apns, planned, registration, server
from tests.support.sandbox import apns_options, fcm_options, running_sandbox

OPERATOR = server(Scope.OPERATE)
PATIENCE = 100.0


class House:
    """One dispatcher with its fleet, the apps of its database, and a sandbox that they reach."""

    def __init__(self, database, sandbox: Sandbox) -> None:
        self.room = Room(database, SystemClock(), Metrics())
        self.sandbox = sandbox
        self.clock = SystemClock()
        self.ring = KeyRing([make_key("k")])
        self.store = SqlApps(database)
        self.apps = Apps(
            store=self.store,
            ring=self.ring,
            settings=self.of_settings,
            clock=self.clock,
            changed=Pulse(),
        )
        self.dispatcher = self.room.dispatcher(interactive_width=40)
        self.book = CredentialBook(store=self.store, ring=self.ring, settings=self.of_settings)
        self.checks = ProviderChecks(
            book=CredentialBook(store=self.store, ring=self.ring, settings=self.of_settings),
            make=self.make,
            surveys=SqlSurveys(database),
        )
        self.fleet = Fleet(
            book=self.book,
            make=self.make,
            dispatcher=self.dispatcher,
            clock=self.clock,
            metrics=Metrics(),
            refresh_seconds=0.1,
            pulse=Pulse(),
        )

    def of_settings(self):
        return [fcm_of(self.sandbox.files), apns_of(self.sandbox.files)]

    def make(self, credential):
        if credential.provider is ProviderName.FCM:
            return {
                urgency: FcmProvider(
                    fcm_options(self.sandbox), clock=self.clock, account=credential.secret
                )
                for urgency in Urgency
            }
        options = replace(apns_options(self.sandbox), **credential.details)
        provider = ApnsProvider(options, clock=self.clock, key=credential.secret.decode())
        return dict.fromkeys(Urgency, provider)

    async def show(self, app_id: str, files: Files) -> None:
        for credential in (fcm_of(files), apns_of(files)):
            await self.apps.change_credential(OPERATOR, app_id, credential)

    async def tell(self, devices) -> list[str]:
        """Plan one push for each; their ids."""
        now = self.clock.now()
        later = now.replace(year=now.year + 1)
        pairs = [planned(each, now=now, expires_at=later) for each in devices]
        await self.room.pushes.plan([each for each, _ in pairs], [push for _, push in pairs])
        self.room.pulse.beat()
        return [str(push.id) for _, push in pairs]

    async def settled(self, number: int) -> None:
        """Wait until so many pushes have ended, all of them accepted."""
        async with asyncio.timeout(PATIENCE):
            while (found := await self.room.states()) != {PushState.ACCEPTED: number}:
                assert found.keys() <= {
                    PushState.QUEUED,
                    PushState.SENDING,
                    PushState.RETRY,
                    PushState.ACCEPTED,
                }
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        stop = Stop()
        await self.fleet.open()
        running = asyncio.create_task(self.dispatcher.run(stop))
        try:
            yield
        finally:
            stop.ask()
            await running
            await self.fleet.close()


def fcm_of(files: Files):
    return fcm_credential(files.service_account.read_bytes(), token_uris=["*"])


def apns_of(files: Files):
    ids = {"key_id": files.key_id, "team_id": files.team_id, "topic": files.topic}
    return apns_credential(files.apns_key.read_bytes(), **ids)


def port_of(sandbox: Sandbox) -> int:
    return int(sandbox.fcm_endpoint.split(":")[2].partition("/")[0])


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with running_sandbox(tmp_path, clock=SystemClock(), latency_ms=20) as running:
        yield running


@pytest.fixture
def house(sqlite_database, sandbox: Sandbox) -> House:
    return House(sqlite_database, sandbox)


@pytest.fixture
async def shop(house: House, tmp_path: Path) -> Files:
    return await opened_shop(house, tmp_path)


async def opened_shop(house: House, tmp_path: Path) -> Files:
    """The app `shop`, with credentials of its own."""
    files = init_app(tmp_path, "shop", fcm_port=port_of(house.sandbox))
    house.sandbox.trust(files)
    await house.apps.put(OPERATOR, "shop", name="Shop")
    await house.show("shop", files)
    return files


async def phones(house: House, app_id: str, first: int, number: int):
    return [
        await house.room.register(
            UserId(f"{app_id}-{n}"), registration(n, app_id=app_id, address=f"phone-{n:04}")
        )
        for n in range(first, first + number)
    ]


async def test_each_app_is_sent_with_its_own_credentials(house: House, shop: Files):
    ours = await phones(house, DEFAULT_APP, 0, 5)
    theirs = await phones(house, "shop", 100, 5)
    iphone = await house.room.register(UserId("lina"), apns(7, app_id="shop"))

    async with house.working():
        await house.tell([*ours, *theirs, iphone])
        await house.settled(11)

    arrived = house.sandbox.arrivals.after()
    by_project = Counter(
        each.provider_id.split("/")[1] for each in arrived if each.provider == "fcm"
    )
    assert by_project == {house.sandbox.files.project_id: 5, shop.project_id: 5}
    assert {each.address for each in arrived if shop.project_id in each.provider_id} == {
        each.address for each in theirs
    }
    [apple] = [each for each in arrived if each.provider == "apns"]
    assert apple.headers["apns-topic"] == shop.topic


async def test_credentials_change_beneath_load_and_every_push_goes_out_once(
    database, sandbox: Sandbox, tmp_path: Path
):
    house = House(database, sandbox)
    shop = await opened_shop(house, tmp_path)
    devices = await phones(house, "shop", 0, 20)
    devices += [
        await house.room.register(UserId(f"i-{n}"), apns(n, app_id="shop")) for n in range(50, 60)
    ]
    rotated = replace(shop, directory=tmp_path / "rotated", key_id="ROTATED000")
    make_credentials(rotated, fcm_port=port_of(house.sandbox))
    house.sandbox.trust(rotated)
    told: list[str] = []

    async with house.working():
        for number in range(10):
            told += await house.tell(devices)
            if number == 4:
                await house.show("shop", rotated)
                await house.fleet.step()
                house.sandbox.revoke(shop)
            await asyncio.sleep(0.02)
        await house.settled(300)

    copies = Counter(each.push_id for each in house.sandbox.arrivals.after())
    assert copies == Counter(told)


async def test_an_app_that_comes_and_goes_while_a_dispatcher_works(house: House, tmp_path: Path):
    files = init_app(tmp_path, "cafe", fcm_port=port_of(house.sandbox))
    house.sandbox.trust(files)

    async with house.working():
        await house.apps.put(OPERATOR, "cafe", name="Café")
        [phone] = await phones(house, "cafe", 1, 1)
        await house.tell([phone])
        await house.show("cafe", files)
        await house.fleet.step()
        await house.settled(1)

        await house.apps.remove(OPERATOR, "cafe")
        await house.fleet.step()
        await house.tell([phone])
        await house.dispatcher.step()

    assert await house.room.states() == {PushState.ACCEPTED: 1, PushState.QUEUED: 1}


async def test_a_check_says_whose_credentials_are_taken(house: House, shop: Files):
    house.sandbox.revoke(shop)

    found = await house.checks.check(OPERATOR)

    taken = {(each.app_id, each.route): each.taken for each in found}
    assert taken == {
        (DEFAULT_APP, "fcm"): True,
        (DEFAULT_APP, "apns"): True,
        (DEFAULT_APP, "apns_sandbox"): True,
        ("shop", "fcm"): False,
        ("shop", "apns"): False,
        ("shop", "apns_sandbox"): False,
    }
    assert [each.address for each in house.sandbox.arrivals.after()] == ["0" * 64] * 2


async def test_credentials_of_no_use_leave_the_earlier_ones_at_work(
    house: House, shop: Files, caplog
):
    [phone] = await phones(house, "shop", 1, 1)

    async with house.working():
        broken = replace(fcm_of(shop), secret=b'{"private_key": "hush-hush"}')
        await house.apps.change_credential(OPERATOR, "shop", broken)
        await house.fleet.step()
        await house.fleet.step()
        await house.tell([phone])
        await house.settled(1)

    complaints = [each for each in caplog.records if each.message == "credentials of no use"]
    assert len(complaints) == 1
    assert "hush" not in str([vars(each) for each in caplog.records])
