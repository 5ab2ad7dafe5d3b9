"""The schema's way: which revision a database has, and how it gets to another.

Alembic runs over the same asynchronous drivers as the server; synchronous ones are not
installed.
"""

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kernel.adapters.outages import outages
from server.failures import SchemaOutdated

log = logging.getLogger(__name__)

T = TypeVar("T")

LOCK = 0x5A46_4641
"""PostgreSQL's advisory lock that lets one node upgrade while others wait."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """The revision a database has (None: it is empty) and the one this release needs."""

    current: str | None
    head: str

    @property
    def is_current(self) -> bool:
        return self.current == self.head

    def demand(self) -> None:
        """Raise `SchemaOutdated`, with what to do, unless the two are the same."""
        if self.current is None:
            raise SchemaOutdated("The database is empty. Run `zaffa db upgrade` first.")
        if not self.is_current:
            raise SchemaOutdated(
                f"The database's schema is at revision {self.current}, this release needs "
                f"{self.head}. Run `zaffa db upgrade` first."
            )


def scripts() -> Path:
    """Where the migrations are: inside an installed wheel, else in the checkout."""
    installed = Path(__file__).with_name("_alembic")
    return installed if installed.is_dir() else Path(__file__).parent.parent / "alembic"


def config(**attributes: object) -> Config:
    """Alembic's configuration; `alembic/env.py` finds `attributes` in it."""
    made = Config()
    made.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    made.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    made.attributes.update(attributes)
    return made


def head() -> str:
    """The newest revision there is."""
    newest = ScriptDirectory.from_config(config()).get_current_head()
    assert newest is not None, "there are no migrations"
    return newest


async def state(url: str) -> SchemaState:
    """What revision the database has. Raises `Unavailable` if it does not answer."""
    return SchemaState(await _on(url, _current), head())


async def state_on(connection: AsyncConnection) -> SchemaState:
    """The same, asked on a connection that is open already."""
    return SchemaState(await current_on(connection), head())


async def current_on(connection: AsyncConnection) -> str | None:
    """The revision a database has; None if it is empty."""
    return await connection.run_sync(_current)


async def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Other nodes that try at the same time wait."""
    await _on(url, lambda on: command.upgrade(config(connection=on), revision), alone=True)


async def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision`; what later migrations added is lost."""
    await _on(url, lambda on: command.downgrade(config(connection=on), revision), alone=True)


async def differences(url: str, metadata: sa.MetaData) -> list[str]:
    """Where the database and the tables in the code differ; empty when they agree."""
    return await _on(url, lambda connection: _differences(connection, metadata))


async def write_revision(message: str, metadata: sa.MetaData) -> Path:
    """Write the migration that takes the newest schema to the tables in the code; where it is."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/newest.sqlite3"
        await upgrade(url)
        return await _write_revision(url, message, metadata)


async def _write_revision(url: str, message: str, metadata: sa.MetaData) -> Path:
    number = f"{int(head()) + 1:04d}" if any(scripts().glob("versions/*.py")) else "0001"

    def run(connection: sa.Connection) -> Any:
        return command.revision(
            config(connection=connection, metadata=metadata),
            message=message,
            autogenerate=True,
            rev_id=number,
        )

    return Path((await _on(url, run)).path)


def _current(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _differences(connection: sa.Connection, metadata: sa.MetaData) -> list[str]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return [str(difference) for difference in compare_metadata(context, metadata)]


async def _on(url: str, work: Callable[[sa.Connection], T], *, alone: bool = False) -> T:
    """Do `work` on a connection of its own, committed at the end; `alone`: one node at a time."""
    engine = _sqlite_engine(url) if url.startswith("sqlite:") else _postgres_engine(url)
    try:
        with outages():
            async with engine.connect() as connection:
                if alone and engine.dialect.name == "postgresql":
                    # Both last as long as the session, across the transaction of each migration.
                    await connection.execute(sa.select(sa.func.pg_advisory_lock(LOCK)))
                    # A migration that waits for a table's lock makes everybody queue behind it.
                    await connection.execute(sa.text("SET lock_timeout = '5s'"))
                    await connection.commit()
                result = await connection.run_sync(work)
                await connection.commit()
                return result
    finally:
        await engine.dispose()


def _postgres_engine(url: str) -> AsyncEngine:
    return create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=sa.pool.NullPool
    )


def _sqlite_engine(url: str) -> AsyncEngine:
    """Foreign keys are off: a batch migration drops the old table, and its rows' children."""
    engine = create_async_engine(
        url.replace("sqlite:", "sqlite+aiosqlite:", 1), poolclass=sa.pool.NullPool
    )

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        # Whoever upgrades at the same time may need minutes for much data.
        cursor.execute("PRAGMA busy_timeout=300000")
        cursor.execute("PRAGMA foreign_keys=OFF")
        # Nobody else is here yet. Two who ask for it at once would get in each other's way.
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
