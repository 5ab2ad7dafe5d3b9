"""A node is killed with somebody who never comes back: what they were sent becomes a push."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kernel.clock import SystemClock
from server.live_client import LiveClient
from tests.support.running import RunningHouse
from tests.support.servers import free_port

pytestmark = [pytest.mark.crash]

PATIENCE = 30.0


async def test_a_message_to_who_went_down_with_their_node_becomes_a_push(tmp_path: Path):
    page = free_port()
    settings = {
        "ZAFFA_SANDBOX_PAGE_PORT": str(page),
        "ZAFFA_STATUS_RENEW_SECONDS": "0.5",
        "ZAFFA_STATUS_MISSING_SECONDS": "2",
    }
    async with RunningHouse.start(tmp_path, settings=settings) as house:
        await house.call("POST", "/v1/devices", user="karim", body=phone("karims-phone"))
        conversation = await house.group("amina", "karim")
        karim = LiveClient(
            [house.websocket_url],
            token=partial(house.token, "karim"),
            heard=lambda _channel, _publication: None,
            clock=SystemClock(),
        )
        listening = asyncio.create_task(karim.run())
        await karim.follow(f"conversation:{conversation}")
        # Until the node has written down who is there.
        await asyncio.sleep(3)
        await say(house, conversation, "he sees this")
        await asyncio.sleep(1)
        assert await pushes(page) == []

        house.kill()
        await karim.close()
        await listening
        house.spawn()
        await house.ready()

        async with asyncio.timeout(PATIENCE):
            while not (pushed := await pushes(page)):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        await asyncio.sleep(1)

        assert await pushes(page) == pushed
        assert [each["address"] for each in pushed] == ["karims-phone"]
        assert "he sees this" in pushed[0]["body"]


def phone(address: str) -> dict[str, Any]:
    return {
        "installation_id": "0123456789abcdef",
        "address_kind": "fcm_token",
        "address": address,
        "platform": "android",
        "locale": "ar",
        "time_zone": "Africa/Algiers",
    }


async def say(house: RunningHouse, conversation: str, text: str) -> None:
    body = {"body": {"text": text}, "idempotency_key": text}
    path = f"/v1/conversations/{conversation}/messages"
    await house.call("POST", path, user="amina", body=body)


async def pushes(page: int) -> list[dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{page}/pushes") as answer,
    ):
        found: list[dict[str, Any]] = (await answer.json())["pushes"]
        return found
