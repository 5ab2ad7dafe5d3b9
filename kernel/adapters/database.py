"""The database: one engine for PostgreSQL, a writer and readers for SQLite.

Where the two dialects differ, the difference is a named function here, never an `if` in a
store.
"""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlmodel import SQLModel

from kernel.adapters import driver
from kernel.adapters.outages import outages
from kernel.adapters.pinging import ping_when_rested
from kernel.adapters.sqlite_engine import BEGIN_WRITING, Work, in_one_trip, sqlite_engine
from kernel.adapters.sqlite_reads import SqliteReads, prepare
from kernel.options import option

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Row(SQLModel):
    """What every table class derives from: one metadata, constraints named by one rule."""

    metadata: ClassVar[sa.MetaData] = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant in UTC: `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite.

    SQLite has no type for instants and drops the zone of a text; an integer keeps the order
    and every digit. A naive value is a bug and raises `ValueError`.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.BigInteger())
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return microseconds(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """PostgreSQL's driver gives instants in UTC already."""
        return super().result_processor(dialect, coltype) if dialect.name == "sqlite" else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else instant(int(value))


def microseconds(instant: datetime) -> int:
    """How SQLite stores an instant; for statements that bypass the column types."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(microseconds: int) -> datetime:
    """The same read back."""
    return _EPOCH + microseconds * _MICROSECOND


BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A generated integer key: SQLite generates only for the type INTEGER."""

JSON_TEXT = sa.Text()
"""JSON kept as the text that came, so that it is never decoded on a hot path."""


def table_of(row: type[Row]) -> sa.Table:
    """The table of a row class, for SQLAlchemy Core."""
    return cast(sa.Table, row.__table__)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """Where everything is kept."""

    url: str = option(
        "sqlite:///var/zaffa.sqlite3",
        "Database: sqlite:///PATH (one process) or postgresql://USER:PASSWORD@HOST/NAME.",
        secret=True,
    )
    pool_size: int = option(10, "Connections to PostgreSQL that this process keeps, at most.")
    timeout_seconds: float = option(10.0, "How long to wait for a free connection or a lock.")
    statement_seconds: float = option(
        60.0, "How long PostgreSQL may work on one statement, or wait for us inside a transaction."
    )
    sqlite_synchronous: str = option(
        "FULL", "FULL survives a power failure; NORMAL may lose the last moments, and is faster."
    )

    def __post_init__(self) -> None:
        if not self.url.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("url must begin with sqlite:/// or postgresql://")
        try:
            sa.make_url(self.url)
        except (ValueError, sa.exc.ArgumentError):
            # Without the cause, which may quote a piece of the password.
            raise ValueError(
                "url cannot be read; special characters of a password are written as %XX"
            ) from None
        if self.pool_size < 2:
            raise ValueError("pool_size must be at least 2")
        if self.timeout_seconds <= 0:
            raise ValueError("timeout_seconds must be above 0")
        if self.statement_seconds < self.timeout_seconds:
            raise ValueError("statement_seconds must be at least timeout_seconds")
        if self.sqlite_synchronous not in ("FULL", "NORMAL"):
            raise ValueError("sqlite_synchronous must be FULL or NORMAL")


class Database:
    """Transactions for stores. Building one does no I/O.

    On SQLite one connection writes, under `BEGIN IMMEDIATE`, and others read beside it; on
    PostgreSQL both come from one pool. Errors name the statement, never its values: they
    reach logs, and what people write and devices' addresses do not belong there.
    """

    def __init__(self, options: DatabaseOptions) -> None:
        self._options = options
        statement_timeout = str(int(options.statement_seconds * 1000))
        self.is_sqlite = options.url.startswith("sqlite:")
        if self.is_sqlite:
            self._prepare = partial(
                prepare, wait=options.timeout_seconds, synchronous=options.sqlite_synchronous
            )
            make = partial(
                sqlite_engine,
                options.url,
                prepare=self._prepare,
                pool_timeout=options.timeout_seconds,
                json_serializer=_dump,
            )
            self._writer = make(size=1, begin=BEGIN_WRITING)
            self._reader = make(size=4, begin="BEGIN")
            self._reads = SqliteReads(self._reader, prepare=self._prepare)
        else:
            self._writer = create_async_engine(
                options.url.replace("postgresql://", "postgresql+asyncpg://", 1),
                pool_size=options.pool_size,
                max_overflow=0,
                # Of a few that are used all the time PostgreSQL finds what it needs in its caches.
                pool_use_lifo=True,
                pool_timeout=options.timeout_seconds,
                json_serializer=_dump,
                hide_parameters=True,
                connect_args={
                    "timeout": options.timeout_seconds,
                    # For a server that vanished without a word: PostgreSQL's own limits come first.
                    "command_timeout": options.statement_seconds + options.timeout_seconds,
                    "server_settings": {
                        "application_name": "zaffa",
                        "timezone": "UTC",
                        "jit": "off",
                        "lock_timeout": str(int(options.timeout_seconds * 1000)),
                        "statement_timeout": statement_timeout,
                        # A node that hangs must not keep its locks from the others for ever.
                        "idle_in_transaction_session_timeout": statement_timeout,
                    },
                },
            )
            ping_when_rested(self._writer.sync_engine)
            self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes: for migrations."""
        return self._writer

    async def check(self) -> None:
        """Ask the database something. Raises `Unavailable` if it does not answer."""
        async with self.reading() as connection:
            await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        await self._writer.dispose()
        if self.is_sqlite:
            await self._reads.close()
            await self._reader.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One whole transaction: committed at the end, rolled back by any exception.

        Nothing inside may wait for anything but this connection. Raises `Unavailable` while
        the database is away, or has no connection to spare; met at the end, an outage leaves
        open whether the transaction was kept.
        """
        with outages():
            async with self._writer.begin() as connection:
                yield connection

    async def in_one_trip(self, work: Work[T]) -> T:
        """On SQLite alone: what `work` does as one transaction, in one trip to its thread.

        Raises `Unavailable` like `transaction`.
        """
        with outages(), driver.translated(BEGIN_WRITING, sqlite3.Error):
            async with self._writer.connect() as connection:
                return await in_one_trip(connection, work)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for single reading statements. Raises `Unavailable` like the other."""
        with outages():
            async with self._reader.connect() as connection:
                yield connection

    async def fetch(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows of one short reading statement, in the words and values of the driver.

        Raises `Unavailable` like the others.
        """
        if self.is_sqlite:
            with outages(), driver.translated(statement, sqlite3.Error):
                return await self._reads.fetch(statement, values)
        async with self.reading() as connection:
            return await driver.fetch(connection, statement, values)

    def single(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for one statement that is a whole transaction, or raises `Unavailable`."""
        return self.transaction() if self.is_sqlite else self.reading()

    def insert_new(self, table: sa.Table, *, on: Sequence[str] = ()) -> Any:
        """`INSERT … ON CONFLICT (on) DO NOTHING` in the database's dialect."""
        dialect = sqlite if self.is_sqlite else postgresql
        return dialect.insert(table).on_conflict_do_nothing(index_elements=list(on) or None)

    def upsert(self, table: sa.Table, *, on: Sequence[str], update: Iterable[str]) -> Any:
        """`INSERT … ON CONFLICT (on) DO UPDATE` of the named columns to the new values."""
        dialect = sqlite if self.is_sqlite else postgresql
        statement = dialect.insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(on),
            set_={name: getattr(statement.excluded, name) for name in update},
        )

    def minute_of(self, instant: sa.ColumnElement[datetime]) -> sa.ColumnElement[datetime]:
        """The minute in which an instant lies, in UTC."""
        if not self.is_sqlite:
            return sa.func.date_trunc("minute", instant, type_=Instant())
        number = sa.type_coerce(instant, sa.BigInteger())
        return sa.type_coerce(number - number % sa.literal_column("60000000"), Instant())

    def upsert_latest(self, table: sa.Table, *, on: Sequence[str], update: Iterable[str]) -> Any:
        """The same, but each named column keeps the greater of both values; null is the least."""
        dialect = sqlite if self.is_sqlite else postgresql
        statement = dialect.insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(on),
            set_={
                name: sa.case(
                    (table.c[name] > statement.excluded[name], table.c[name]),
                    else_=sa.func.coalesce(statement.excluded[name], table.c[name]),
                )
                for name in update
            },
        )


def storable(text: str) -> str:
    """A stranger's words without what PostgreSQL refuses to store."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
