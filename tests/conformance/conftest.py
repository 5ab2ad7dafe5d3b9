"""The official clients, and the nodes they judge.

Most tests share one node, a process of its own on the embedded default, with the namespaces of
`zaffa.toml`. What only the server's side can do, such as ordering a connection about, is done
to a node in the process of the tests.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.conformance.clients import KINDS, STREAMS, Clients, JavaScriptClient
from tests.conformance.python_client import PythonClient
from tests.support.cluster import RunningCluster
from tests.support.running import RunningHouse
from tests.support.servers import free_port

AnyClient = JavaScriptClient | PythonClient
Make = Callable[..., Awaitable[AnyClient]]
Connect = Callable[..., Awaitable[AnyClient]]


@pytest.fixture(scope="session")
def clients() -> Iterator[Clients]:
    there = Clients()
    yield there
    there.stop()


@pytest.fixture(scope="session")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    folder: Path = tmp_path_factory.mktemp("house")
    shutil.copy(Path(__file__).parent / "zaffa.toml", folder)
    house = RunningHouse(folder=folder, port=free_port(), settings={})
    house.spawn()
    try:
        asyncio.run(house.ready())
        yield house
    finally:
        house.end()


@pytest.fixture(scope="session")
def running_cluster(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, valkey_url: str
) -> Iterator[RunningCluster]:
    """Two gateways on PostgreSQL and Valkey, and a node that works for them."""
    folder: Path = tmp_path_factory.mktemp("cluster")
    shutil.copy(Path(__file__).parent / "zaffa.toml", folder)
    opened = _cluster(folder, postgres_url, valkey_url)
    with asyncio.Runner() as runner:
        cluster = runner.run(opened.__aenter__())
        try:
            yield cluster
        finally:
            runner.run(opened.__aexit__(None, None, None))


@asynccontextmanager
async def _cluster(
    folder: Path, postgres_url: str, redis_url: str
) -> AsyncIterator[RunningCluster]:
    name = f"zaffa_conformance_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        async with RunningCluster.start(
            folder,
            database_url=f"{postgres_url.rpartition('/')[0]}/{name}",
            redis_url=redis_url,
            settings={"ZAFFA_REDIS_PREFIX": f"{name}:"},
        ) as cluster:
            yield cluster
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@pytest.fixture(params=[*KINDS, *STREAMS[1:]])
def kind(request: pytest.FixtureRequest) -> str:
    """Whoever takes this runs with each client, in each format and over each transport.

    But for JSON over HTTP streams, which is to each feature what the others are together.
    """
    given: str = request.param
    return given


@pytest.fixture
async def make(kind: str, clients: Clients) -> AsyncIterator[Make]:
    """Makes a client of one kind for a server and tokens, and closes it when the test ends."""
    made: list[AnyClient] = []

    async def make(url: str, *tokens: str | None, **options: Any) -> AnyClient:
        client = clients.client(kind, url, tokens, **options)
        made.append(client)
        await client.start()
        await client.do("connect")
        return client

    yield make
    await asyncio.gather(*(client.close() for client in made))


@pytest.fixture
def connect(make: Make, running_house: RunningHouse) -> Connect:
    """Connects a user to the node that all tests share, with these tokens or one that is good."""

    async def connect(user: str, *tokens: str | None, **options: Any) -> AnyClient:
        return await make(
            running_house.websocket_url, *(tokens or [running_house.token(user)]), **options
        )

    return connect


@pytest.fixture
def anonymous(make: Make, running_house: RunningHouse) -> Connect:
    """Connects somebody who does not say who they are."""

    async def connect(**options: Any) -> AnyClient:
        return await make(running_house.websocket_url, **options)

    return connect


@pytest.fixture
def ami() -> str:
    return f"ami-{uuid4().hex[:8]}"


@pytest.fixture
def bouchra() -> str:
    return f"bouchra-{uuid4().hex[:8]}"
