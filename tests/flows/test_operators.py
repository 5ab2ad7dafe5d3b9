"""What operators do at one node holds for all: two gateways, each a process, and the commands."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from kernel.adapters.database import Database, DatabaseOptions
from tests.support.cluster import RunningCluster
from tests.support.empty import empty_database
from tests.support.running import PATIENCE, ROOT, RunningHouse

pytestmark = [pytest.mark.external]


@pytest.fixture
async def cluster(
    tmp_path: Path, postgres_url: str, valkey_url: str
) -> AsyncIterator[RunningCluster]:
    settings = {
        "ZAFFA_STATUS_RENEW_SECONDS": "0.5",
        "ZAFFA_STATUS_LINGER_SECONDS": "0",
        "ZAFFA_CONNECTIONS_PING_SECONDS": "0",
    }
    with empty_database(postgres_url) as url:
        async with RunningCluster.start(
            tmp_path, database_url=url, redis_url=valkey_url, settings=settings
        ) as running:
            yield running


@asynccontextmanager
async def connected(node: RunningHouse, user: str) -> AsyncIterator[ClientConnection]:
    async with connect(node.websocket_url, compression=None) as websocket:
        asked = {"id": 1, "connect": {"token": node.token(user), "name": "flow"}}
        await websocket.send(json.dumps(asked))
        assert "connect" in json.loads(await websocket.recv())
        yield websocket


async def closed(websocket: ClientConnection) -> int:
    with suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE):
            while True:
                await websocket.recv()
    assert websocket.close_code is not None
    return websocket.close_code


async def zaffa(node: RunningHouse, *words: str) -> list[str]:
    """What a command says that asks this node."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", words[0], "--url", node.url, *words[1:]),
        cwd=node.folder,
        env={**node.environment(), "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return said.decode().splitlines()


async def until(true: Any) -> Any:
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await true()
            if found:
                return found
            await asyncio.sleep(0.1)


async def test_a_user_is_found_and_put_out_from_another_node(cluster: RunningCluster):
    here, there = cluster.gateways
    async with connected(there, "amina") as amina, connected(here, "karim") as karim:

        async def line() -> str:
            return "".join(await zaffa(here, "users", "connections", "amina"))

        found = await until(line)
        assert "websocket/json" in found
        assert "flow" in found

        [said] = await zaffa(here, "users", "block", "amina", "--reason", "spam")
        assert "until unblocked  spam" in said
        assert await closed(amina) == 3507
        with pytest.raises(AssertionError, match=r"user\.blocked"):
            await there.call("GET", "/v1/conversations", user="amina")
        assert await zaffa(there, "users", "blocks") == [said]

        await zaffa(there, "users", "revoke-tokens", "karim")
        assert await closed(karim) == 3014

    await zaffa(there, "users", "unblock", "amina")
    await until(lambda: _may_ask(there, "amina"))
    assert await zaffa(here, "users", "connections", "amina") == []


async def _may_ask(node: RunningHouse, user: str) -> bool:
    try:
        await node.call("GET", "/v1/conversations", user=user)
    except AssertionError:
        return False
    return True


async def test_a_user_is_watched_from_another_node(cluster: RunningCluster):
    here, there = cluster.gateways
    async with connected(there, "amina") as amina:
        words = ("trace", "--user", "amina", "--seconds", "4", "--json")
        watching = asyncio.create_task(zaffa(here, *words))
        number = 1
        while not watching.done():
            number += 1
            await amina.send(json.dumps({"id": number, "rpc": {"method": "conversations.list"}}))
            await amina.recv()
            await asyncio.sleep(0.05)
        events = [json.loads(each) for each in await watching]

    kinds = [each["kind"] for each in events]
    assert kinds[0] == "connected"
    assert kinds[-1] == "ended"
    # The trace may begin, and end, between a command and its answer.
    said = [kind for kind in kinds if kind in ("command", "answer")]
    assert re.fullmatch("(answer )?(command answer )+(command )?", " ".join([*said, ""]))
    assert len({each["node"] for each in events[:-1]}) == 1
    assert events[-1]["node"] != events[0]["node"]


@asynccontextmanager
async def watching(house: RunningHouse) -> AsyncIterator[asyncio.subprocess.Process]:
    """`zaffa trace`, for as long as it may run, once the node takes part."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "trace", "--user", "amina", "--seconds", "600"),
        *("--url", house.url),
        cwd=house.folder,
        env={**house.environment(), "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await until(lambda: _traces(house, 1))
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _traces(house: RunningHouse, number: int) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{house.url}/metrics") as answer:
        return f"messaging_traces {number}.0" in await answer.text()


async def test_a_trace_ends_when_whoever_watches_is_gone(tmp_path: Path):
    async with RunningHouse.start(tmp_path) as house, watching(house) as process:
        process.kill()
        await process.wait()

        await until(lambda: _traces(house, 0))


async def test_a_node_that_leaves_ends_the_trace_and_is_not_held_up(tmp_path: Path):
    async with RunningHouse.start(tmp_path) as house, watching(house) as process:
        assert await asyncio.to_thread(house.end) == 0

        said, _ = await process.communicate()
        assert process.returncode == 0
        assert b" ended " in said


async def test_whoever_was_at_a_killed_node_was_last_seen_shortly_before(cluster: RunningCluster):
    here, there = cluster.gateways
    began = datetime.now(UTC).replace(microsecond=0)
    async with connected(there, "amina"):

        async def online() -> bool:
            [line] = await zaffa(here, "users", "status", "amina")
            return "online" in line

        async def sighted() -> bool:
            """Who is there is written down every two seconds, and known of the dead from then."""
            database = Database(DatabaseOptions(url=there.environment()["ZAFFA_DATABASE_URL"]))
            async with database.reading() as connection:
                found = await connection.scalar(sa.text("SELECT count(*) FROM sightings"))
            await database.close()
            return bool(found)

        await until(online)
        await until(sighted)
        await asyncio.to_thread(there.kill)
        killed = datetime.now(UTC)

    async def seen() -> str:
        [line] = await zaffa(here, "users", "status", "amina")
        return line.partition("last seen ")[2]

    at = datetime.fromisoformat(await until(seen))
    assert began <= at <= killed
