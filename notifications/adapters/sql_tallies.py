"""What each dispatcher saw of a campaign, in a table: one row for each of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from notifications.adapters.tables import CampaignTallyRow
from notifications.brake import Tally

_TALLIES = table_of(CampaignTallyRow)

LATELY = timedelta(minutes=10)
"""What a dispatcher saw longer ago says nothing of a campaign any more."""

_refused = msgspec.json.Decoder(dict[str, int])


class SqlTallies:
    """Fulfils `TallyStore`. Nobody waits for a row of somebody else's."""

    def __init__(self, database: Database, *, node_id: str) -> None:
        self._database = database
        self._node_id = node_id
        self._keeping = database.upsert(
            _TALLIES,
            on=["campaign_id", "node_id"],
            update=["era", "seen", "failed", "refused", "at"],
        )

    async def share(
        self, campaign_id: UUID, tally: Tally, *, era: int, now: datetime
    ) -> tuple[int, Sequence[Tally]]:
        kept = sa.select(_TALLIES).where(_TALLIES.c.campaign_id == campaign_id)
        async with self._database.transaction() as connection:
            rows = list(await connection.execute(kept))
            current = max((row.era for row in rows), default=era)
            said = tally if era == current else Tally()
            row = self._row(campaign_id, said, current, now)
            await connection.execute(self._keeping, [row])
        return current, [
            Tally(row.seen, row.failed, _refused.decode(row.refused))
            for row in rows
            if row.node_id != self._node_id and row.era == current and row.at > now - LATELY
        ]

    async def clear(self, campaign_id: UUID, *, now: datetime) -> int:
        newest = sa.select(sa.func.max(_TALLIES.c.era)).where(_TALLIES.c.campaign_id == campaign_id)
        async with self._database.transaction() as connection:
            era = (await connection.scalar(newest) or 0) + 1
            row = self._row(campaign_id, Tally(), era, now)
            await connection.execute(self._keeping, [row])
        return era

    def _row(self, campaign_id: UUID, tally: Tally, era: int, now: datetime) -> dict[str, Any]:
        return {
            "campaign_id": campaign_id,
            "node_id": self._node_id,
            "era": era,
            "seen": tally.seen,
            "failed": tally.failed,
            "refused": msgspec.json.encode(tally.refused).decode(),
            "at": now,
        }
