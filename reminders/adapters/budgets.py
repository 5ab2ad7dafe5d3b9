"""What users' days have had, counted by one at a time."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from reminders.adapters.digest_tables import BudgetRow
from reminders.budget import Ask, granted

BUDGETS = table_of(BudgetRow)

_KEY = 16


async def spend(database: Database, connection: AsyncConnection, asks: Sequence[Ask]) -> set[bytes]:
    """The keys of the pushes that get a place in their user's day.

    Whoever asks the same day meanwhile waits for this transaction, so that both together get
    no more than there is.
    """
    by_day: dict[tuple[str, date], list[Ask]] = defaultdict(list)
    for ask in asks:
        by_day[ask.user_id, ask.day].append(ask)
    if not by_day:
        return set()
    # In one order everywhere: nobody waits in a circle.
    days = sorted(by_day)
    new = database.insert_new(BUDGETS, on=["user_id", "day"])
    await connection.execute(new, [_row(user, day, []) for user, day in days])
    found = await connection.execute(
        sa.select(BUDGETS)
        .where(sa.tuple_(BUDGETS.c.user_id, BUDGETS.c.day).in_(days))
        .order_by(BUDGETS.c.user_id, BUDGETS.c.day)
        .with_for_update()
    )
    grants: set[bytes] = set()
    changed: list[dict[str, Any]] = []
    for row in found:
        before = [row.spent[at : at + _KEY] for at in range(0, len(row.spent), _KEY)]
        asked = by_day[row.user_id, row.day]
        after = granted(asked, before)
        grants |= {ask.key for ask in asked} & set(after)
        if after != before:
            changed.append(_row(row.user_id, row.day, after))
    if changed:
        put = database.upsert(BUDGETS, on=["user_id", "day"], update=["spent"])
        await connection.execute(put, changed)
    return grants


def _row(user_id: str, day: date, keys: Sequence[bytes]) -> dict[str, Any]:
    return {"user_id": user_id, "day": day, "spent": b"".join(keys)}
