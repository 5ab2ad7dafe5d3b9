"""One node for all official clients, and two of a cluster: processes of their own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.support.cluster import RunningCluster
from tests.support.running import RunningHouse
from tests.support.servers import free_port


@pytest.fixture(scope="session")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """A node on the embedded default."""
    folder: Path = tmp_path_factory.mktemp("house")
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
    opened = _cluster(tmp_path_factory.mktemp("cluster"), postgres_url, valkey_url)
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
    name = f"zaffa_conformance_{uuid.uuid4().hex[:12]}"
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
