"""How long PostgreSQL has had to keep rows that were deleted, for some transaction's sake.

Where rows come and go all day, one query of an hour makes every claim walk over what was claimed
since, and no vacuum can help.
"""

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.workers import Stop, repeat

REST_SECONDS = 30.0


class LongTransactions:
    """Looks at the transactions of our own database, once in a while.

    PostgreSQL shows those of other roles only to whom `pg_read_all_stats` was granted.
    """

    name = "long-transactions"

    def __init__(self, database: Database, clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self._clock = clock
        self._age = metrics.gauge(
            "kernel_oldest_transaction_seconds",
            "Age of the oldest transaction that keeps PostgreSQL from forgetting deleted rows.",
        )

    async def run(self, stop: Stop) -> None:
        """Look again and again."""
        await repeat(self.step, clock=self._clock, stop=stop, idle=REST_SECONDS)

    async def step(self) -> int:
        """Look now; there is never more to do."""
        async with self._database.reading() as connection:
            self._age.set((await connection.execute(_OLDEST)).scalar_one())
        return 0


_OLDEST = sa.text("""
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
""")
