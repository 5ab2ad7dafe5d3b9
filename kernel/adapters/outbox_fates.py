"""What became of single entries of the outbox, for whoever asks why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.adapters.tables import OutboxRow

OUTBOX = table_of(OutboxRow)


class Fate(StrEnum):
    """Where an entry stands."""

    WAITING = "waiting"
    BURIED = "buried"
    HANDLED = "handled"


@dataclass(frozen=True, slots=True)
class EntryFate:
    """What became of an entry, and the last error it met."""

    fate: Fate
    error: str


async def fates_of(database: Database, keys: Sequence[str]) -> Mapping[str, EntryFate]:
    """By dedupe key; entries that were pruned are not there."""
    if not keys:
        return {}
    query = sa.select(
        OUTBOX.c.dedupe_key, OUTBOX.c.settled_at, OUTBOX.c.buried_at, OUTBOX.c.error
    ).where(OUTBOX.c.dedupe_key.in_(keys))
    async with database.reading() as connection:
        return {row.dedupe_key: _fate(row) for row in await connection.execute(query)}


def _fate(row: sa.Row[Any, Any, Any, Any]) -> EntryFate:
    if row.buried_at is not None:
        return EntryFate(Fate.BURIED, row.error or "")
    return EntryFate(Fate.WAITING if row.settled_at is None else Fate.HANDLED, row.error or "")
