"""From what servers ask to what arrives on phones, and back: the wired rooms on one clock."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from aiohttp import web

from kernel.adapters.database import DatabaseOptions
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from notifications.apps.sealing import make_key
from notifications.sandbox.faults import Fault
from notifications.sandbox.options import SandboxOptions
from server.wiring.groups import Settings
from server.wiring.preparing import prepare
from tests.support.clock import ManualClock
from tests.support.receivers import receiving
from tests.support.rooms import Rooms, address
from tests.support.running import ROOT, RunningHouse
from tests.support.tokens import TOKEN_OPTIONS

AMINA, KARIM, LINA = map(UserId, ("amina", "karim", "lina"))
OPERATOR = Principal(key_id=uuid4(), scopes=frozenset(Scope))
SAYING = {"variables": {"title": "الزفّة", "body": "Vendredi, 20 h"}}


@pytest.fixture
async def receiver():
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def rooms(
    database_url: str, tmp_path: Path, clock: ManualClock, receiver
) -> AsyncIterator[Rooms]:
    plain = Settings()
    settings = replace(
        plain,
        server=replace(plain.server, push="sandbox"),
        database=DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"),
        tokens=TOKEN_OPTIONS,
        credentials=replace(plain.credentials, keys=(make_key("test"),)),
        webhooks=replace(plain.webhooks, own_origins=(receiver.origin,)),
        sandbox=SandboxOptions(
            directory=str(tmp_path / "sandbox"),
            page_port=0,
            fcm_port=0,
            apns_port=0,
            apns_sandbox_port=0,
            webpush_port=0,
        ),
    )
    async with Rooms(prepare(settings), clock).open() as opened:
        yield opened


async def test_users_devices_lists_topics_and_conditions_get_what_is_sent(rooms: Rooms):
    await rooms.phone(AMINA, 1)
    second = await rooms.phone(AMINA, 2)
    await rooms.iphone(KARIM, 3)
    await rooms.ask("lists.replace", OPERATOR, list_id="guests", user_ids=["karim", "lina"])

    async def sent(**whom):
        body = {**SAYING, **whom, "idempotency_key": uuid4().hex}
        made = await rooms.ask("pushes.send", OPERATOR, **body)
        return made.id, {each.address for each in await rooms.work()}

    assert (await sent(user_ids=["amina"]))[1] == {address(1), address(2)}
    assert (await sent(device_ids=[second.id]))[1] == {address(2)}
    listed, arrived = await sent(list_id="guests")
    assert arrived == {f"{3:064x}"}
    assert (await sent(topic="news"))[1] == {"news"}
    assert (await sent(condition="'news' in topics"))[1] == {"'news' in topics"}

    status = await rooms.ask("sends.get", OPERATOR, send_id=listed)
    assert (status.state, status.over, status.told, status.unreachable) == ("done", True, 2, 1)


async def test_every_field_reaches_the_phone(rooms: Rooms):
    await rooms.phone(AMINA, 1)
    await rooms.iphone(AMINA, 2)

    await rooms.ask(
        "pushes.send",
        OPERATOR,
        user_ids=["amina"],
        idempotency_key="k",
        texts={"fr": {"title": "Salon", "body": "Vendredi"}, "ar": {"title": "صالون", "body": "ج"}},
        badge=3,
        image="https://app.example/hall.jpg",
        link="https://app.example/halls/1",
        thread="halls",
        label="halls_2026",
        data={"hall": "1"},
        apple={"interruption-level": "time-sensitive"},
        android={"notification": {"color": "#aa00ff", "sticky": True}},
    )

    by_provider = {each.provider: each for each in await rooms.work()}
    android = msgspec.json.decode(by_provider["fcm"].payload)["message"]
    assert (by_provider["fcm"].title, by_provider["apns"].title) == ("Salon", "صالون")
    assert android["android"]["notification"]["color"] == "#aa00ff"
    assert android["android"]["notification"]["notification_count"] == 3
    assert android["fcm_options"] == {"analytics_label": "halls_2026"}
    assert (android["data"]["hall"], android["data"]["thread"]) == ("1", "halls")
    aps = msgspec.json.decode(by_provider["apns"].payload)["aps"]
    assert (aps["badge"], aps["interruption-level"]) == (3, "time-sensitive")


async def test_outcomes_and_reports_come_home_with_the_id_that_the_phone_got(
    rooms: Rooms, receiver
):
    await rooms.ask("webhooks.create", OPERATOR, url=receiver.url)
    for number, user_id in enumerate((AMINA, KARIM)):
        await rooms.phone(user_id, number)
    rooms.sandbox.faults.add(Fault("fcm", "UNREGISTERED", prefix=address(1)))
    send = await rooms.ask(
        "pushes.send", OPERATOR, user_ids=["amina", "karim"], idempotency_key="k", **SAYING
    )
    (arrived,) = await rooms.work()
    report_id = msgspec.json.decode(arrived.payload)["message"]["data"]["report_id"]

    for _ in range(2):
        told = await rooms.ask(
            "reports.tell",
            Principal(),
            reports=[{"report_id": report_id, "event": event} for event in ("shown", "opened")],
        )
        assert told.taken == 2
    await rooms.work()

    status = await rooms.ask("sends.get", OPERATOR, send_id=send.id)
    assert {state: n for state, n in status.counts.items() if n} == {"accepted": 1, "rejected": 1}
    assert status.reports == {"shown": 1, "opened": 1}
    news = [msgspec.json.decode(body) for _, body in receiver.told]
    events = [(each["kind"], event) for each in news for event in each["events"]]
    states = {event["user_id"]: event["state"] for kind, event in events if kind.endswith("comes")}
    assert states == {"amina": "accepted", "karim": "rejected"}
    reported = [event["event"] for kind, event in events if kind == "push.reports"]
    assert sorted(reported) == ["opened", "shown"]


async def test_what_is_cancelled_while_a_provider_is_away_never_arrives(rooms: Rooms, clock):
    await rooms.phone(AMINA, 1)
    rooms.sandbox.faults.add(Fault("fcm", "UNAVAILABLE", prefix=address(1)))
    send = await rooms.ask(
        "pushes.send", OPERATOR, user_ids=["amina"], idempotency_key="k", **SAYING
    )
    assert await rooms.work() == []

    status = await rooms.ask("sends.cancel", OPERATOR, send_id=send.id)
    rooms.sandbox.faults.clear()
    clock.move(hours=1)

    assert await rooms.work() == []
    assert (status.state, status.counts["suppressed"]) == ("cancelled", 1)


async def test_the_command_sends_follows_and_tells(tmp_path: Path):
    async with RunningHouse.start(tmp_path) as house:
        await house.call(
            "POST",
            "/v1/devices",
            user="amina",
            body={
                "installation_id": "installation-1",
                "address_kind": "fcm_token",
                "address": address(1),
                "platform": "android",
                "locale": "fr-DZ",
                "time_zone": "Africa/Algiers",
            },
        )

        def zaffa(*words: str, url: str = house.url) -> list[str]:
            done = subprocess.run(
                [sys.executable, "-m", "server", "push", "--url", url, *words],
                cwd=house.folder,
                env={**os.environ, **house.environment(), "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=90,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        words = ("--user", "amina", "--title", "Zaffa", "--body", "Vendredi")
        dry = await asyncio.to_thread(zaffa, "send", *words, "--dry-run")
        first, *lines = await asyncio.to_thread(zaffa, "send", *words, "--follow")
        send_id = first.split()[0]
        (listed,) = await asyncio.to_thread(zaffa, "status")
        async with counting_twice() as slow:
            counted = await asyncio.to_thread(
                zaffa, "send", "--list", "guests", *words[2:], "--dry-run", url=slow
            )
        told = await asyncio.to_thread(zaffa, "status", send_id, "--devices")

    assert dry[0] == "1 targeted, 1 devices would get it"
    assert counted[0] == "900 targeted, 800 devices would get it"
    assert lines[-1].split() == ["done", "1/1", "told,", "0", "unreachable", "accepted", "1"]
    assert listed.startswith(send_id)
    assert "amina" in told[-1]
    assert "accepted" in told[-1]


@asynccontextmanager
async def counting_twice() -> AsyncIterator[str]:
    """A server whose dry run of a list is not done until it is asked again."""

    async def dry_run(asked: web.Request) -> web.Response:
        whole = (await asked.json()).get("cursor") == "half"
        counted = 900 if whole else 450
        census = {"users": counted, "whole": whole, "cursor": None if whole else "half"}
        census |= {"without_device": 0, "would_reach": counted - 100, "later": 0, "why_not": {}}
        would = {"targeted": 900, "would_reach": counted - 100, "users": [], "census": census}
        would |= {"unknown_device_ids": [], "topic_content": None}
        return web.json_response(would)

    app = web.Application()
    app.router.add_post("/admin/v1/pushes/dry-run", dry_run)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
