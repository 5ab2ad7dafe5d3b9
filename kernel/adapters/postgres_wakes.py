"""Waking through PostgreSQL, where processes share nothing else: LISTEN and NOTIFY.

Words are said by themselves, after what they are about was committed: a transaction that
notifies waits for all others that do.
"""

from collections.abc import Callable
from typing import Any

import asyncpg
import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.adapters.driver import translated
from kernel.clock import Clock
from kernel.workers import Pulse, Stop, rest

CHANNEL = "zaffa_wakes"

ASKED_SECONDS = 30.0
"""How often a connection on which nothing is heard is asked whether it is still there."""


class PostgresWakes:
    """Listening keeps one connection of the pool. A pooler between us and PostgreSQL that lends
    connections for a transaction carries nothing: then everybody looks by themselves."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def say(self, words: str) -> None:
        async with self._database.single() as connection:
            await connection.execute(_NOTIFY, {"channel": CHANNEL, "words": words})

    async def listen(self, hear: Callable[[str], None]) -> None:
        lost, never = Pulse(), Stop()

        def heard(_connection: Any, _pid: int, _channel: str, words: str) -> None:
            hear(words)

        def ended(_connection: Any) -> None:
            lost.beat()

        async with self._database.reading() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            with translated("LISTEN", asyncpg.PostgresError, asyncpg.InterfaceError):
                await driver.add_listener(CHANNEL, heard)
            driver.add_termination_listener(ended)
            try:
                while True:
                    await rest(ASKED_SECONDS, clock=self._clock, stop=never, pulse=lost)
                    # Raises when it is gone.
                    await connection.execute(_ASK)
            finally:
                driver.remove_termination_listener(ended)
                if not driver.is_closed():
                    await driver.remove_listener(CHANNEL, heard)


_NOTIFY = sa.text("SELECT pg_notify(:channel, :words)")
_ASK = sa.text("SELECT 1")
