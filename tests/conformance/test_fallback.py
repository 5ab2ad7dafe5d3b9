"""What the official client does where WebSockets are blocked, and pages that use no client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from tests.conformance.clients import HERE, Clients
from tests.conformance.events import PATIENCE
from tests.support.node import install, node
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]

TRANSPORTS = "http_stream,sse,uni_sse,uni_websocket"


@asynccontextmanager
async def blocking() -> AsyncIterator[str]:
    """A proxy that lets no WebSocket through: the address behind it, as clients have it."""

    async def forbidden(_request: web.Request) -> web.Response:
        return web.Response(status=403)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", forbidden)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"ws://127.0.0.1:{port}/connection/websocket"
    finally:
        await runner.cleanup()


async def say(house: RunningHouse, conversation: str) -> None:
    await house.call(
        "POST",
        f"/v1/conversations/{conversation}/messages",
        user="amina",
        body={"body": {"text": "مرحبا"}, "idempotency_key": uuid4().hex},
    )


@pytest.mark.parametrize("fallback", ["http_stream", "sse"])
async def test_where_websockets_are_blocked_the_client_falls_back_and_chats(
    clients: Clients, running_house: RunningHouse, fallback: str
) -> None:
    conversation = await running_house.group("amina", "karim")
    channel = f"conversation:{conversation}"
    async with blocking() as blocked:
        client = clients.client(
            f"javascript-json-{fallback}",
            running_house.websocket_url,
            [running_house.token("karim")],
            blocked=blocked,
        )
        await client.start()
        try:
            await client.do("connect")
            told = await client.event("connected")
            await client.do("subscribe", channel=channel)
            await client.event("subscribed")
            await say(running_house, conversation)
            await client.event("publication", offset=1)
            answer = await client.do(
                "rpc",
                method="messages.send",
                data={
                    "conversation_id": conversation,
                    "body": {"text": "من خلف الجدار"},
                    "idempotency_key": uuid4().hex,
                },
            )
            await client.event("publication", offset=2)
        finally:
            await client.close()

    assert told["transport"] == fallback
    assert answer["data"]["offset"] == 2
    assert client.offsets(channel) == [1, 2]


class Page:
    """What a page was sent that listens by itself."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pushes: list[dict[str, Any]] = []

    async def push(self, event: str) -> dict[str, Any]:
        """The next push that tells of this; others are passed over."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                push: dict[str, Any] = json.loads(line)
                self.pushes.append(push)
                if event in push:
                    found: dict[str, Any] = push[event]
                    return found
        raise AssertionError(f"the page ended; it was sent {self.pushes}")


@asynccontextmanager
async def page(kind: str, house: RunningHouse, **claims: Any) -> AsyncIterator[Page]:
    """A page that listens as karim."""
    await asyncio.to_thread(install, HERE)
    url = f"{house.url}/connection/{kind}"
    if kind == "uni_websocket":
        url = url.replace("http", "ws", 1)
    process = await asyncio.create_subprocess_exec(
        node(), HERE / "listener.mjs", kind, url,
        json.dumps({"token": house.token("karim", **claims)}),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Page(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@pytest.mark.parametrize("kind", ["uni_sse", "uni_websocket"])
async def test_a_page_listens_to_the_channels_of_its_token(kind: str, tmp_path: Path) -> None:
    settings = {"ZAFFA_GATEWAY_TRANSPORTS": TRANSPORTS}
    async with RunningHouse.start(tmp_path, settings=settings) as house:
        conversation = await house.group("amina", "karim")
        channel = f"conversation:{conversation}"
        async with page(kind, house, channels=[channel]) as karim:
            told = await karim.push("connect")
            await say(house, conversation)
            heard = await karim.push("pub")
            await asyncio.to_thread(house.end)
            last = await karim.push("disconnect")

    assert list(told["subs"]) == [channel]
    assert heard["offset"] == 1
    assert last == {"code": 3001, "reason": "shutdown"}


async def test_an_event_source_comes_back_by_itself(tmp_path: Path) -> None:
    settings = {"ZAFFA_GATEWAY_TRANSPORTS": TRANSPORTS}
    async with (
        RunningHouse.start(tmp_path, settings=settings) as house,
        page("uni_sse", house) as karim,
    ):
        first = await karim.push("connect")
        await asyncio.to_thread(house.end)
        house.spawn()
        await house.ready()

        again = await karim.push("connect")

    assert again["client"] != first["client"]
