"""History: pages of 50 from a million messages of one conversation, by the protocol's command.

20 members ask over WebSocket, each from a place of its own in the log, and ask again when they are
answered. Each page is asked for anew: the right to read, the top of the log, and 50 messages of 200
bytes as JSON publications. SQLite is inside the server's process; for PostgreSQL only the
gateway's processor time is counted.
"""

import argparse
import asyncio
import os
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from benchmarks.load import COUNT, Load, Measured, padded
from benchmarks.machine import LOAD_CORE, report, table
from benchmarks.sending import DATABASES
from benchmarks.servers import SIZE, zaffa
from kernel.adapters.database import Database, DatabaseOptions
from tests.support.running import RunningHouse

MESSAGES = 1_000_000
READERS = 20
PAGE = 50

_FILL = {
    "sqlite": """
        WITH RECURSIVE numbers (n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :messages
        )
        INSERT INTO messages
               (conversation_id, "offset", id, sender_id, body, idempotency_key, sent_at)
        SELECT :conversation, n, printf('%032x', n), 'user-' || (n % 20), :body, 'k' || n,
               1700000000000000 + n
        FROM numbers
    """,
    "postgresql": """
        INSERT INTO messages
               (conversation_id, "offset", id, sender_id, body, idempotency_key, sent_at)
        SELECT CAST(:conversation AS uuid), n, CAST(lpad(to_hex(n), 32, '0') AS uuid),
               'user-' || (n % 20), CAST(:body AS json), 'k' || n,
               to_timestamp(1700000000 + n * 0.000001)
        FROM generate_series(1, CAST(:messages AS integer)) AS numbers (n)
    """,
}


async def fill(url: str, conversation: str) -> None:
    """A million messages, past the use cases: they are there to be read."""
    database = Database(DatabaseOptions(url=url))
    try:
        async with database.transaction() as connection:
            name = connection.dialect.name
            key = conversation.replace("-", "") if name == "sqlite" else conversation
            given = {"conversation": key, "messages": MESSAGES, "body": padded(SIZE)}
            await connection.execute(sa.text(_FILL[name]), given)
            grown = "UPDATE conversations SET top = :top WHERE id = :id"
            if name == "postgresql":
                grown = grown.replace(":id", "CAST(:id AS uuid)")
            await connection.execute(sa.text(grown), {"top": MESSAGES, "id": key})
    finally:
        await database.close()


@asynccontextmanager
async def filled(name: str) -> AsyncIterator[tuple[RunningHouse, Load]]:
    users = [f"user-{number}" for number in range(READERS)]
    with TemporaryDirectory() as folder:
        async with DATABASES[name](Path(folder)) as house:
            conversation = await house.group(*users)
            await fill(house.environment()["ZAFFA_DATABASE_URL"], conversation)
            channel = f"conversation:{conversation}"

            def ask(number: int) -> str:
                since = f'{{"offset":{(number + 1) * 40_000 + 123_456}}}'
                asked = f'{{"channel":"{channel}","limit":{PAGE},"since":{since}}}'
                return f'{{"id":1{COUNT},"history":{asked}}}'

            dialect = zaffa(house, users, None, say=ask, delivery=None, answer=b'"history":{')
            load = Load(house.port, dialect, [house.pid])
            try:
                load.connect(READERS)
                yield house, load
            finally:
                load.close()


async def main(names: list[str], rounds: int, seconds: float) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    results: dict[str, list[Measured]] = {}
    for name in names:
        async with filled(name) as (_, load):
            results[name] = [load.exchange(seconds=seconds) for _ in range(rounds)]
    rows = [
        [
            name,
            f"{statistics.median(run.messages_per_second for run in runs):,.0f}",
            f"{statistics.median(1e6 / run.server_us_per_message for run in runs):,.0f}",
            f"{statistics.median(run.server_us_per_message for run in runs):.0f}",
            f"{statistics.median(run.answer_p50_ms for run in runs):.1f}",
            f"{statistics.median(run.answer_p99_ms for run in runs):.1f}",
            f"{max(run.client_busy for run in runs):.0%}",
        ]
        for name, runs in results.items()
    ]
    heading = ["database", "pages/s", "pages per CPU second", "server µs/page", "p50 ms", "p99 ms",
               "load client busy"]  # fmt: skip
    print(f"\npages of {PAGE} from {MESSAGES:,} messages\n\n{table(heading, rows)}\n")
    report("history", {name: [asdict(run) for run in runs] for name, runs in results.items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", nargs="*", default=list(DATABASES), metavar="DATABASE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    asyncio.run(main(options.databases, options.rounds, options.seconds))
