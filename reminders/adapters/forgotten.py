"""Forgetting old rows, some at a time, so that nobody waits for long."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa


def oldest(
    table: sa.Table,
    at: sa.Column[Any],
    *also: sa.ColumnElement[bool],
    before: date | datetime,
    limit: int,
) -> sa.Delete:
    """Delete up to `limit` rows whose `at` lies before then, the oldest first; of those the ones
    of which this holds `also`."""
    key = list(table.primary_key)
    old = sa.select(*key).where(at < before, *also).order_by(at).limit(limit)
    return table.delete().where((sa.tuple_(*key) if len(key) > 1 else key[0]).in_(old))
