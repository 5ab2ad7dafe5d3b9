"""The house in a box: clocks moved by hand, real databases, a real Valkey.

Nothing here skips: a server that cannot start fails the test that wants it, with the reason.
"""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import hypothesis
import pytest

from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.memory_bus import MemoryBus
from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_options import RedisOptions
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from server import migrations
from tests.support.clock import ManualClock
from tests.support.memory import in_memory
from tests.support.redis_setups import (
    SETUPS,
    ValkeyCluster,
    ValkeySentinel,
    given_by,
)
from tests.support.redis_tls import SecuredValkey
from tests.support.servers import PostgresServer, ValkeyServer, running

# A worker's files: SQLite waits for no disk there.
if memory := in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))

# How long a thing takes is for the benchmarks: shared machines are slow now and then.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The maintenance database of a PostgreSQL server; one server per test process."""
    given = os.environ.get("ZAFFA_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with running(PostgresServer()) as server:
        yield server.url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Valkey server; one per test process."""
    given = os.environ.get("ZAFFA_TEST_REDIS_URL")
    if given:
        yield given
        return
    with running(ValkeyServer()) as server:
        yield server.url


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """A cluster of three Valkey servers, one per test process."""
    with ValkeyCluster.start() as cluster:
        yield cluster


@pytest.fixture
def failing_cluster() -> Iterator[ValkeyCluster]:
    """A cluster for one test, whose first primary has a replica."""
    with ValkeyCluster.start(replicas=1) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def sentinel_valkey() -> Iterator[ValkeySentinel]:
    """A Valkey server that a sentinel watches, one per test process."""
    with ValkeySentinel.start(patience_ms=30_000) as watched:
        yield watched


@pytest.fixture(scope="session")
def secured_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredValkey]:
    """A Valkey server behind TLS, with an access list, one per test process."""
    with SecuredValkey.start(tmp_path_factory.mktemp("certificates")) as secured:
        yield secured


@pytest.fixture(params=SETUPS)
def redis_options(request: pytest.FixtureRequest) -> RedisOptions:
    """Whoever takes this runs on every way to have Redis; names in it are this test's own."""
    return RedisOptions(prefix=f"zaffa:{uuid.uuid4().hex}:", **given_by(request, request.param))


@pytest.fixture
def valkey_server() -> Iterator[ValkeyServer]:
    """A Valkey server for one test, which may stop, freeze and start it again."""
    with running(ValkeyServer()) as server:
        yield server


@pytest.fixture
async def redis_bus(valkey_url: str) -> AsyncIterator[RedisBus]:
    """The bus of a cluster; its channels are this test's own."""
    options = RedisOptions(url=valkey_url, prefix=f"{uuid.uuid4().hex}:")
    opened = RedisBus(options, clock=SystemClock(), metrics=Metrics())
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.external)])
def bus(request: pytest.FixtureRequest) -> Bus:
    """Whoever takes this runs twice: on the bus of one process and on that of a cluster."""
    if request.param == "memory":
        return MemoryBus()
    cluster: RedisBus = request.getfixturevalue("redis_bus")
    return cluster


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a database that holds all tables, to copy from."""
    name = f"zaffa_template_{uuid.uuid4().hex[:12]}"
    _administer(postgres_url, f'CREATE DATABASE "{name}"')
    _in_a_loop_of_its_own(lambda: migrations.upgrade(_at(postgres_url, name)))
    yield name
    _administer(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file that holds all tables, to copy from."""
    path = tmp_path_factory.mktemp("template") / "zaffa.sqlite3"
    _in_a_loop_of_its_own(lambda: migrations.upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture
def postgres_database_url(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """A fresh PostgreSQL database with all tables."""
    name = f"zaffa_test_{uuid.uuid4().hex[:12]}"
    _administer(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"')
    yield _at(postgres_url, name)
    _administer(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def sqlite_database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite database with all tables."""
    path = tmp_path / "zaffa.sqlite3"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.external)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database with all tables, once on SQLite and once on PostgreSQL."""
    wanted = {"sqlite": "sqlite_database_url", "postgresql": "postgres_database_url"}
    url: str = request.getfixturevalue(wanted[request.param])
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Whoever takes this runs twice: on SQLite and on PostgreSQL."""
    opened = _database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_database(sqlite_database_url: str) -> AsyncIterator[Database]:
    opened = _database(sqlite_database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def postgres_database(postgres_database_url: str) -> AsyncIterator[Database]:
    opened = _database(postgres_database_url)
    yield opened
    await opened.close()


def _database(url: str) -> Database:
    return Database(DatabaseOptions(url=url, sqlite_synchronous="NORMAL"))


def _at(postgres_url: str, name: str) -> str:
    """The same server, another database."""
    return f"{postgres_url.rpartition('/')[0]}/{name}"


def _administer(postgres_url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(postgres_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    _in_a_loop_of_its_own(run)


def _in_a_loop_of_its_own(run: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a coroutine to its end without touching the event loop of the tests."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(run())).result()
