import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from notifications.adapters.apns import ApnsProvider
from notifications.sandbox.credentials import Files
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Attempt, Verdict
from tests.support.clock import ManualClock
from tests.support.sandbox import apns_options, attempt, open_apns, running_sandbox


@pytest.fixture
async def page(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sandbox.page_url) as session:
        yield session


@pytest.fixture
async def apns(sandbox: Sandbox, clock: ManualClock) -> AsyncIterator[ApnsProvider]:
    async with open_apns(apns_options(sandbox), clock=clock) as opened:
        yield opened


def push(clock: ManualClock, **fields: str) -> Attempt:
    return attempt(AddressKind.APNS, now=clock.now(), **fields)  # type: ignore[arg-type]


async def test_pushes_are_listed_in_order_from_where_one_left_off(
    page: aiohttp.ClientSession, apns: ApnsProvider, clock: ManualClock
) -> None:
    for title in ("one", "two", "three"):
        await apns.send([push(clock, title=title)])

    async with page.get("/pushes?after=1&limit=1") as answer:
        listing = await answer.json()

    assert [each["title"] for each in listing["pushes"]] == ["two"]
    assert (listing["last"], listing["total"]) == (2, 3)


async def test_pushes_can_be_picked_by_address_and_by_id(
    page: aiohttp.ClientSession, apns: ApnsProvider, clock: ManualClock
) -> None:
    mine, other = push(clock, address="aa"), push(clock, address="bb")
    await apns.send([mine, other, mine])

    async with page.get("/pushes", params={"address": "aa"}) as answer:
        by_address = (await answer.json())["pushes"]
    async with page.get("/pushes", params={"push_id": str(other.push_id)}) as answer:
        by_id = (await answer.json())["pushes"]

    assert [each["push_id"] for each in by_address] == [str(mine.push_id)] * 2
    assert [each["address"] for each in by_id] == ["bb"]


async def test_a_follower_hears_of_a_push_when_it_arrives(
    page: aiohttp.ClientSession, apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    async def follow() -> list[str]:
        async with page.get("/pushes?after=0&wait=30&address=bb") as answer:
            return [each["address"] for each in (await answer.json())["pushes"]]

    following = asyncio.create_task(follow())
    await apns.send([push(clock, address="aa")])
    await apns.send([push(clock, address="bb")])

    assert await asyncio.wait_for(following, 5) == ["bb"]


async def test_a_follower_gets_an_empty_list_when_nothing_comes(
    page: aiohttp.ClientSession,
) -> None:
    async with page.get("/pushes?after=7&wait=0.05") as answer:
        assert await answer.json() == {"pushes": [], "last": 7, "total": 0}


async def test_the_page_shows_texts_in_their_own_direction_and_never_as_markup(
    page: aiohttp.ClientSession, apns: ApnsProvider, clock: ManualClock
) -> None:
    await apns.send([push(clock, title="زفاف سارة", body="<script>alert(1)</script>")])

    async with page.get("/") as answer:
        text = await answer.text()

    assert "<td dir=auto>زفاف سارة<td dir=auto>&lt;script&gt;" in text
    assert "<script>alert" not in text


async def test_faults_are_scripted_listed_and_lifted_over_http(
    page: aiohttp.ClientSession, apns: ApnsProvider, clock: ManualClock
) -> None:
    fault = {"provider": "apns", "outcome": "Unregistered", "prefix": "aa", "times": 5}
    async with page.post("/faults", json=fault) as answer:
        assert answer.status == 201
        number = (await answer.json())["id"]
    gone = await apns.send([push(clock, address="aa"), push(clock, address="bb")])

    async with page.get("/faults") as answer:
        [listed] = (await answer.json())["faults"]
    async with page.delete(f"/faults/{number}") as answer:
        assert answer.status == 204
    [after] = await apns.send([push(clock, address="aa")])

    assert [each.verdict for each in gone] == [Verdict.TOKEN_GONE, Verdict.ACCEPTED]
    assert (listed["prefix"], listed["times"]) == ("aa", 4)
    assert after.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"provider":"fcm","outcome":"Unregistered"}',
        b'{"provider":"sms","outcome":"SILENCE"}',
        b'{"provider":"fcm","outcome":"SILENCE","colour":"red"}',
        b'{"provider":"fcm","outcome":"SILENCE","starts_at":"2026-01-01T00:00:00"}',
        b'{"provider":"fcm","outcome":"SILENCE","times":0}',
        b'{"provider":"fcm","outcome":"UNAVAILABLE","retry_after":"1\\r\\nx: y"}',
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(
    body: bytes, page: aiohttp.ClientSession, sandbox: Sandbox
) -> None:
    async with page.post("/faults", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "invalid_input"

    assert sandbox.faults.listed() == []


@pytest.mark.parametrize("path", ["/pushes?after=-1", "/pushes?limit=many", "/pushes?x=1"])
async def test_a_listing_that_makes_no_sense_is_refused(
    path: str, page: aiohttp.ClientSession
) -> None:
    async with page.get(path) as answer:
        assert answer.status == 400


async def test_what_is_not_there_is_not_found(page: aiohttp.ClientSession) -> None:
    for method, path in (("GET", "/x"), ("PUT", "/faults"), ("DELETE", "/faults/9")):
        async with page.request(method, path) as answer:
            assert answer.status == 404


async def test_the_prefixes_and_the_status_are_told(page: aiohttp.ClientSession) -> None:
    async with page.get("/prefixes") as answer:
        prefixes = await answer.json()
    async with page.get("/status") as answer:
        status = await answer.json()

    assert prefixes["fcm"]["sandbox-unregistered"] == "UNREGISTERED"
    assert "Unregistered" in prefixes["apns"].values()
    assert status["accepted"] == 0


async def test_garbage_on_the_port_is_answered_and_the_page_lives_on(
    page: aiohttp.ClientSession, sandbox: Sandbox
) -> None:
    port = int(sandbox.page_url.rstrip("/").rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\0\0garbage\r\n\r\n")
    first_line = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert first_line == b"HTTP/1.1 400 Bad Request\r\n"
    async with page.get("/status") as answer:
        assert answer.status == 200


async def test_every_push_is_also_written_to_the_record_file(
    credentials: Files, clock: ManualClock, tmp_path: Path
) -> None:
    record = tmp_path / "pushes.jsonl"
    async with (
        running_sandbox(
            credentials.directory, clock=clock, record_file=str(record), kept=1
        ) as sandbox,
        open_apns(apns_options(sandbox), clock=clock) as apns,
    ):
        await apns.send([push(clock, title="زفاف") for _ in range(3)])
        kept = sandbox.arrivals.after()

    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3]
    assert lines[0]["title"] == "زفاف"
    assert [each.number for each in kept] == [3]
