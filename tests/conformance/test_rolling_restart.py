"""All gateways are replaced one after the other: no client sees a hole, or anything twice.

Either each is a node behind a balancer, or they are workers that share a port and get SIGHUP.
"""

import asyncio
import json
import os
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
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
from tests.support.running import PATIENT, RunningHouse
from tests.support.servers import ports_in_a_row
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


@dataclass
class Restarted:
    """A house whose gateways can all be replaced."""

    house: RunningHouse
    port: int
    """Where clients connect."""
    replace: Callable[[], Awaitable[None]]


@asynccontextmanager
async def nodes(folder: Path, given: Mapping[str, str]) -> AsyncIterator[Restarted]:
    """Two nodes behind a balancer, each ended and started again."""
    async with (
        RunningCluster.start(folder, **given, settings=PATIENT) as cluster,
        Tunnel.dug(*(node.port for node in cluster.gateways)) as balancer,
    ):

        async def replace() -> None:
            for node in cluster.gateways:
                await asyncio.sleep(0.5)
                assert await asyncio.to_thread(node.end) == 0
                node.spawn()
                await node.ready()

        yield Restarted(cluster.gateways[0], balancer.port, replace)


@asynccontextmanager
async def workers(folder: Path, given: Mapping[str, str]) -> AsyncIterator[Restarted]:
    """Two workers that share a port, replaced by their parent."""
    async with RunningCluster.start(folder, **given, gateways=1, settings=PATIENT) as cluster:
        [gateway] = cluster.gateways
        await asyncio.to_thread(gateway.end)
        gateway.workers = 2
        gateway.settings = {
            **gateway.settings,
            "ZAFFA_SERVER_METRICS_PORT": str(ports_in_a_row(gateway.workers)),
            "ZAFFA_SERVER_LOG_FORMAT": "json",
        }
        gateway.spawn()
        await gateway.ready()

        async def replace() -> None:
            await logged(gateway, "node ready", 2)
            before = pids(gateway)
            os.kill(gateway.pid, signal.SIGHUP)
            await logged(gateway, "nodes renewed", 1)
            assert len(set(pids(gateway)) - set(before)) == 2

        yield Restarted(gateway, gateway.port, replace)


def events(house: RunningHouse) -> list[dict[str, object]]:
    lines = house.log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def pids(house: RunningHouse) -> list[object]:
    """The processes that its parent started."""
    return [each["pid"] for each in events(house) if each["message"] == "node started"]


async def logged(house: RunningHouse, message: str, times: int) -> None:
    async with asyncio.timeout(60):
        while sum(each["message"] == message for each in events(house)) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("setup", [nodes, workers])
async def test_a_rolling_restart_is_no_event_for_readers(
    setup: Callable[[Path, Mapping[str, str]], AbstractAsyncContextManager[Restarted]],
    tmp_path: Path,
    empty_postgres_url: str,
    valkey_url: str,
    clients: Clients,
):
    heard: list[int] = []
    given = {"database_url": empty_postgres_url, "redis_url": valkey_url}
    async with (
        setup(tmp_path, given) as restarted,
        asyncio.TaskGroup() as group,
        AsyncExitStack() as closing,
    ):
        house = restarted.house
        url = f"ws://127.0.0.1:{restarted.port}/connection/websocket"
        conversation = await house.group("amina", *OFFICIAL, "ours")
        channel = f"conversation:{conversation}"
        official = {kind: clients.client(kind, url, [house.token(kind)]) for kind in OFFICIAL}
        for client in official.values():
            await client.start()
            closing.push_async_callback(client.close)
            await client.do("connect")
            await client.do("subscribe", channel=channel)
            await client.event("subscribed")
        amina = talker(url, partial(house.token, "amina"), [])
        ours = talker(url, partial(house.token, "ours"), heard)
        running = [group.create_task(each.run()) for each in (amina, ours)]
        await ours.follow(channel)
        said, stop = [0], asyncio.Event()
        saying = group.create_task(talk(amina, conversation, said, stop))

        await restarted.replace()

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
