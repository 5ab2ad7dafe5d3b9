"""Everybody comes back at once: they are all let in, and who stayed misses nothing."""

import asyncio
import re
from functools import partial
from pathlib import Path

import aiohttp
import msgspec
import pytest

from kernel.clock import SystemClock
from messaging.delivery.live import TAIL
from messaging.protocol.values import Publication
from server.live_client import LiveClient
from tests.support.running import RunningHouse
from tests.support.storm import Brewing, Plan, hello

pytestmark = [pytest.mark.crash, pytest.mark.external]

CONVERSATIONS, MEMBERS, MISSED = 3, 100, 20


async def test_a_storm_is_let_in_reads_each_log_once_and_starves_nobody_who_stayed(
    tmp_path: Path,
):
    async with RunningHouse.start(tmp_path) as house, asyncio.TaskGroup() as group:
        members = [f"guest-{number}" for number in range(MEMBERS)]
        channels = {
            f"conversation:{conversation}": conversation
            for conversation in [
                await house.group("owner", "stays", *members) for _ in range(CONVERSATIONS)
            ]
        }
        heard: list[int] = []
        owner = client(house, "owner", [])
        stays = client(house, "stays", heard)
        for each in (owner, stays):
            group.create_task(each.run())
        first, *_ = channels
        await stays.follow(first)
        for conversation in channels.values():
            for number in range(MISSED):
                await say(owner, conversation, f"before-{number}")
        hellos = [
            hello(house.token(user), channel, offset=number % MISSED)
            for channel in channels
            for number, user in enumerate(members)
        ]
        plan = Plan(house.port, hellos, answers=2, within=60.0)

        async with Brewing.begun(plan) as brewing:
            breaking = asyncio.create_task(brewing.breaks())
            said = 0
            # Past this the tail of the channel would not reach back to what they missed.
            while not breaking.done() and said < TAIL - MISSED:
                said += 1
                await say(owner, channels[first], f"meanwhile-{said}")
            outcome = await breaking

        while len(heard) < MISSED + said:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        reads = await metric(house, 'messaging_log_reads_total{cause="recovery"}')
        for each in (owner, stays):
            await each.close()

    assert outcome.complete == len(hellos)
    assert outcome.failures == {}
    assert heard == list(range(1, MISSED + said + 1))
    # Who stayed in the first channel had its node keep the tail of it.
    assert reads == CONVERSATIONS - 1


def client(house: RunningHouse, user: str, heard: list[int]) -> LiveClient:
    def hear(_channel: str, publication: Publication) -> None:
        heard.append(publication.offset)

    return LiveClient(
        [house.websocket_url], token=partial(house.token, user), heard=hear, clock=SystemClock()
    )


async def say(owner: LiveClient, conversation: str, key: str) -> None:
    asked = {"conversation_id": conversation, "idempotency_key": key, "body": {"text": key}}
    await owner.rpc("messages.send", msgspec.json.encode(asked))


async def metric(house: RunningHouse, name: str) -> float:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{house.url}/metrics") as answer,
    ):
        text = await answer.text()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0
