"""What keeps PostgreSQL from forgetting is seen before claims become slow."""

import asyncio

import pytest
import sqlalchemy as sa

from kernel.adapters.long_transactions import LongTransactions
from kernel.clock import SystemClock
from tests.support.metrics import value_of

pytestmark = pytest.mark.external


async def test_a_transaction_that_stays_open_ages_and_is_forgotten_when_it_ends(
    postgres_database, metrics
):
    watch = LongTransactions(postgres_database, SystemClock(), metrics)

    async def age() -> float:
        await watch.step()
        return value_of(metrics, "kernel_oldest_transaction_seconds")

    async with postgres_database.transaction() as connection:
        await connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await connection.execute(sa.text("SELECT count(*) FROM outbox"))
        first = await age()
        await asyncio.sleep(0.05)
        second = await age()

    assert second >= first + 0.05
    # Another's, such as a vacuum's, may be there; this one is not any more.
    assert await age() < second
