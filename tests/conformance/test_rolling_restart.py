"""Both gateways are restarted one after the other: no client sees a hole, or anything twice."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import asyncpg
import msgspec
import pytest

from kernel.clock import SystemClock
from messaging.protocol.values import Publication
from server.live_client import LiveClient
from tests.conformance.clients import KINDS, STREAMS, Clients
from tests.support.cluster import RunningCluster
from tests.support.tunnel import Tunnel

pytestmark = [pytest.mark.external]

OFFICIAL = (*KINDS, *STREAMS)

PAUSE = 0.05
"""Seconds between messages."""


@pytest.fixture
async def empty_postgres_url(postgres_url: str) -> AsyncIterator[str]:
    """A database without tables."""
    name = f"zaffa_rolling_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield f"{postgres_url.rpartition('/')[0]}/{name}"
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def test_a_rolling_restart_is_no_event_for_readers(
    tmp_path: Path, empty_postgres_url: str, valkey_url: str, clients: Clients
):
    heard: list[int] = []
    ended: list[int] = []
    async with (
        RunningCluster.start(
            tmp_path, database_url=empty_postgres_url, redis_url=valkey_url
        ) as cluster,
        Tunnel.dug(*(node.port for node in cluster.gateways)) as balancer,
        asyncio.TaskGroup() as group,
        AsyncExitStack() as closing,
    ):
        first, second = cluster.gateways
        url = f"ws://127.0.0.1:{balancer.port}/connection/websocket"
        conversation = await first.group("amina", *OFFICIAL, "ours")
        channel = f"conversation:{conversation}"
        official = {kind: clients.client(kind, url, [first.token(kind)]) for kind in OFFICIAL}
        for client in official.values():
            await client.start()
            closing.push_async_callback(client.close)
            await client.do("connect")
            await client.do("subscribe", channel=channel)
            await client.event("subscribed")
        amina = talker(url, partial(first.token, "amina"), [])
        ours = talker(url, partial(first.token, "ours"), heard)
        running = [group.create_task(each.run()) for each in (amina, ours)]
        await ours.follow(channel)
        said, stop = [0], asyncio.Event()
        saying = group.create_task(talk(amina, conversation, said, stop))

        for node in (first, second):
            await asyncio.sleep(0.5)
            ended.append(await asyncio.to_thread(node.end))
            node.spawn()
            await node.ready()
        await asyncio.sleep(0.5)
        stop.set()
        await saying
        for client in official.values():
            if client.offsets(channel)[-1] < said[0]:
                await client.event("publication", offset=said[0])
        while heard[-1] < said[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for each in running:
            each.cancel()

    everything = list(range(1, said[0] + 1))
    assert ended == [0, 0]
    assert heard == everything
    seen = {kind: client.offsets(channel) for kind, client in official.items()}
    assert seen == dict.fromkeys(OFFICIAL, everything)
    for client in official.values():
        codes = [each["code"] for each in client.events if each["event"] == "connecting"]
        assert set(codes[1:]) <= {3001}
        assert not [each for each in client.events if each["event"] == "unsubscribed"]


def talker(url: str, token: partial[str], heard: list[int]) -> LiveClient:
    def hear(_channel: str, publication: Publication) -> None:
        heard.append(publication.offset)

    return LiveClient([url], token=token, heard=hear, clock=SystemClock())


async def talk(amina: LiveClient, conversation: str, said: list[int], stop: asyncio.Event) -> None:
    while not stop.is_set():
        key = f"rolling-{said[0]}"
        asked = {"conversation_id": conversation, "idempotency_key": key, "body": {"text": key}}
        await amina.rpc("messages.send", msgspec.json.encode(asked))
        said[0] += 1
        await asyncio.sleep(PAUSE)
