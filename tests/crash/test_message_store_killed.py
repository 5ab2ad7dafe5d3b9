"""A node is killed while it stores messages: what it acknowledged is there, in whole logs."""

import asyncio
import signal
import sys
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.adapters.tables import OutboxRow
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.tables import ConversationRow, MessageRow
from tests.support.factories_messaging import AMINA, group, members

ROOT = Path(__file__).parents[2]

# Sends without end from 20 senders at once; writes each key once its message is acknowledged.
SENDER = """
import asyncio, sys
from itertools import count
from uuid import UUID
from kernel.adapters.database import Database, DatabaseOptions
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_messages import SqlMessages
from tests.support.factories_messaging import draft, noted

async def main(url, round_number, *places):
    database = Database(DatabaseOptions(url=url))
    store = SqlMessages(
        database=database, clock=SystemClock(), metrics=Metrics(), options=BatchOptions(size=7)
    )
    async def send(number):
        for turn in count():
            place = UUID(places[turn % len(places)])
            key = f"{round_number}-{number}-{turn}"
            await store.append(draft(place, key=key), then=noted)
            print(key, flush=True)
    await asyncio.gather(*(send(number) for number in range(20)))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.crash
async def test_a_killed_node_leaves_whole_logs_with_all_it_acknowledged(
    database: Database, database_url: str, clock
):
    conversations = SqlConversations(database=database, clock=clock)
    places = []
    for _ in range(3):
        there = group()
        places.append((await conversations.create(there, members(there, AMINA))).id)

    acknowledged: set[str] = set()
    for round_number in range(3):
        acknowledged |= await send_until_killed(database_url, round_number, places)

    rows = await all_messages(database)
    assert acknowledged <= {row.idempotency_key for row in rows}
    assert len(acknowledged) > 100
    for place in places:
        offsets = [row.offset for row in rows if row.conversation_id == place]
        assert sorted(offsets) == list(range(1, len(offsets) + 1))
        assert await top_of(database, place) == len(offsets)
    assert await entries(database) == len(rows)


async def send_until_killed(url: str, round_number: int, places: list[UUID]) -> set[str]:
    """The keys a node acknowledged before it was killed, in the middle of something."""
    node = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SENDER,
        url,
        str(round_number),
        *map(str, places),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdout is not None
    keys = [await node.stdout.readline() for _ in range(100 + 37 * round_number)]
    node.send_signal(signal.SIGKILL)
    keys += (await node.stdout.read()).splitlines(keepends=True)
    assert await node.wait() == -signal.SIGKILL
    # A line without an end was cut off by the kill, in writing.
    return {key.decode().strip() for key in keys if key.endswith(b"\n")}


async def all_messages(database: Database) -> list[sa.Row]:
    async with database.reading() as connection:
        return list(await connection.execute(sa.select(table_of(MessageRow))))


async def top_of(database: Database, place: UUID) -> int:
    conversations = table_of(ConversationRow).c
    async with database.reading() as connection:
        top = sa.select(conversations.top).where(conversations.id == place)
        return (await connection.execute(top)).scalar_one()


async def entries(database: Database) -> int:
    async with database.reading() as connection:
        counting = sa.select(sa.func.count()).select_from(table_of(OutboxRow))
        return (await connection.execute(counting)).scalar_one()
