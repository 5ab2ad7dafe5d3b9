"""Ingest: messages acknowledged per second by the store, each durable with its outbox entry.

Every sender waits for its acknowledgement before it sends the next message, to conversations
chosen in turn. Both databases flush to disk at every commit (PostgreSQL `fsync` and
`synchronous_commit`, SQLite `synchronous=FULL`). Afterwards every log is checked for gaps.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import sqlalchemy as sa
import uvloop

from benchmarks.machine import report, table
from kernel.adapters.database import Database, DatabaseOptions, Row, table_of
from kernel.adapters.tables import OutboxRow
from kernel.clock import SystemClock
from kernel.ids import UserId, new_id
from kernel.metrics import Metrics
from kernel.outbox import Entry
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.adapters.tables import MessageRow
from messaging.facts import message_sent
from messaging.types import Conversation, ConversationKind, Draft, Member, Message, Role
from tests.support.servers import PostgresServer, running

CONVERSATIONS = 1000
SENDERS = [UserId(f"user-{number}") for number in range(200)]
CIRCLES = 10
"""Sender and conversation number belong together when they are equal modulo this."""
BODY = b'{"text":"' + "مبروك للعروسين! ".encode() * 6 + b'"}'


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: how fast, how long each took, and the client's processor time per message."""

    database: str
    senders: int
    messages_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_message: float


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """The URL of a fresh, durable database of each kind."""
    with running(PostgresServer(durable=True, settings={"shared_buffers": "512MB"})) as server:
        yield {"SQLite": f"sqlite:///{folder / 'ingest.sqlite3'}", "PostgreSQL": server.url}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Database, SqlMessages, list[UUID]]]:
    """A store over a new schema: conversations of 20 senders each, 100 for each sender."""
    clock = SystemClock()
    database = Database(DatabaseOptions(url=url))
    async with database.transaction() as connection:
        await connection.run_sync(Row.metadata.create_all)
    conversations = SqlConversations(database=database, clock=clock)
    ids = [await group(conversations, clock, number) for number in range(CONVERSATIONS)]
    store = SqlMessages(database=database, clock=clock, metrics=Metrics(), options=BatchOptions())
    yield database, store, ids
    await store.close()
    await database.close()


async def group(conversations: SqlConversations, clock: SystemClock, number: int) -> UUID:
    now = clock.now()
    users = SENDERS[number % CIRCLES :: CIRCLES]
    made = Conversation(new_id(now), ConversationKind.GROUP, "", users[0], now)
    members = [Member(made.id, user_id, Role.MEMBER, now) for user_id in users]
    return (await conversations.create(made, members)).id


def consequences(message: Message) -> list[Entry]:
    """What the product writes along with a message."""
    return [message_sent(message, preview="مبروك للعروسين!")]


async def measure(
    name: str, store: SqlMessages, conversations: list[UUID], *, senders: int, seconds: float
) -> Measured:
    """Let senders send until the time is over."""
    clock = SystemClock()
    latencies: list[float] = []
    ends = time.perf_counter() + seconds

    async def send(number: int) -> None:
        mine = cycle(conversations[number % CIRCLES :: CIRCLES])
        while (begun := time.perf_counter()) < ends:
            now = clock.now()
            draft_id = new_id(now)
            draft = Draft(draft_id, next(mine), SENDERS[number], BODY, str(draft_id), now)
            await store.append(draft, then=consequences)
            latencies.append(time.perf_counter() - begun)

    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(send(number) for number in range(senders)))
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    cuts = statistics.quantiles(latencies, n=100)
    return Measured(
        database=name,
        senders=senders,
        messages_per_second=len(latencies) / took,
        p50_ms=cuts[49] * 1000,
        p99_ms=cuts[98] * 1000,
        cpu_us_per_message=cpu / len(latencies) * 1e6,
    )


async def check(database: Database, store: SqlMessages, conversations: list[UUID]) -> None:
    """Every log is whole, and every message has its outbox entry."""
    messages, outbox = table_of(MessageRow), table_of(OutboxRow)
    logs = sa.select(
        messages.c.conversation_id,
        sa.func.count().label("messages"),
        sa.func.max(messages.c.offset).label("top"),
    ).group_by(messages.c.conversation_id)
    async with database.reading() as connection:
        rows = (await connection.execute(logs)).all()
        entries = (
            await connection.execute(sa.select(sa.func.count()).select_from(outbox))
        ).scalar_one()
    tops = await store.tops(conversations)
    for row in rows:
        if not row.messages == row.top == tops[row.conversation_id]:
            raise RuntimeError(f"the log of {row.conversation_id} has gaps: {row}")
    if entries != sum(row.messages for row in rows):
        raise RuntimeError("messages and outbox entries differ in number")


async def run(name: str, url: str, *, seconds: float) -> list[Measured]:
    """Both numbers of senders on one database."""
    async with opened(url) as (database, store, conversations):
        await measure(name, store, conversations, senders=50, seconds=0.5)
        measured = [
            await measure(name, store, conversations, senders=senders, seconds=seconds)
            for senders in (10, 200)
        ]
        await check(database, store, conversations)
    return measured


def main(seconds: float) -> None:
    results: list[Measured] = []
    with TemporaryDirectory() as folder, databases(Path(folder)) as urls:
        for name, url in urls.items():
            print(f"{name}, {os.cpu_count()} cores for client and database together", flush=True)
            results += uvloop.run(run(name, url, seconds=seconds))
    rows = [
        [
            each.database,
            each.senders,
            f"{each.messages_per_second:,.0f}",
            f"{each.p50_ms:.1f}",
            f"{each.p99_ms:.1f}",
            f"{each.cpu_us_per_message:.0f}",
        ]
        for each in results
    ]
    print(
        table(["database", "senders", "messages/s", "p50 ms", "p99 ms", "client µs/message"], rows)
    )
    report("ingest", [asdict(each) for each in results])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    main(parser.parse_args().seconds)
