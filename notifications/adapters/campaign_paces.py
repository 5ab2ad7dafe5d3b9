"""How fast single campaigns may go, on all routes and dispatchers together.

A push that is claimed too soon is given a time of its own, and waits for it. When that has come
it goes, so each waits once; one that missed its time, as nobody sent anything or its campaign was
paused, is given another.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import table_of
from notifications.adapters.tables import CampaignPaceRow, CampaignRow
from notifications.campaign import Campaign

_CAMPAIGNS, _PACES = table_of(CampaignRow), table_of(CampaignPaceRow)

PACED = "paced"
"""The reason of a push that waits for a time of its own."""

MISSED = timedelta(seconds=5)
"""So long after its time a push has missed it."""

AT_ONCE = timedelta(seconds=0.5)
"""Pushes of so much time go together: dispatchers look for what is due twice a second."""

CAMPAIGNS = 1024
"""Campaigns whose rate is remembered. It never changes."""


def begin_pace(campaign: Campaign) -> sa.Insert:
    """Nobody has a time yet."""
    return _PACES.insert().values(campaign_id=campaign.id, taken_until=campaign.created_at)


def slotted_row(row: Any, slot: datetime) -> Mapping[str, Any]:
    """What becomes of a claimed push that has its time later."""
    return {"push_id": row.id, "new_due_at": slot, "new_reason": PACED}


class CampaignPaces:
    """Gives out times in the transaction of a claim."""

    def __init__(self) -> None:
        self._rates: dict[UUID, float] = {}

    async def slots(
        self, connection: AsyncConnection, rows: Sequence[Any], *, now: datetime
    ) -> Mapping[UUID, datetime]:
        """When those of the claimed rows may go that may not go now, by their id."""
        untimed: dict[UUID, list[UUID]] = defaultdict(list)
        for row in rows:
            in_time = row.reason == PACED and row.due_at > now - MISSED
            if row.campaign_id is not None and not in_time:
                untimed[row.campaign_id].append(row.id)
        await self._learn(connection, untimed.keys() - self._rates.keys())
        slots: dict[UUID, datetime] = {}
        for campaign_id in sorted(untimed):
            if rate := self._rates.get(campaign_id):
                slots |= await _given(connection, campaign_id, untimed[campaign_id], rate, now)
        return slots

    async def _learn(self, connection: AsyncConnection, unknown: set[UUID]) -> None:
        if not unknown:
            return
        if len(self._rates) > CAMPAIGNS:
            self._rates.clear()
        wanted = sa.select(_CAMPAIGNS.c.id, _CAMPAIGNS.c.per_second).where(
            _CAMPAIGNS.c.id.in_(unknown)
        )
        self._rates |= {row.id: row.per_second for row in await connection.execute(wanted)}


async def _given(
    connection: AsyncConnection,
    campaign_id: UUID,
    push_ids: Sequence[UUID],
    rate: float,
    now: datetime,
) -> Mapping[UUID, datetime]:
    """The times of those that must wait; the others go now, and have had theirs."""
    taken = sa.select(_PACES.c.taken_until).where(_PACES.c.campaign_id == campaign_id)
    until = await connection.scalar(taken.with_for_update())
    assert until is not None, "a campaign with a rate began with a pace"
    first, each = max(until, now - AT_ONCE), timedelta(seconds=1 / rate)
    times = {push_id: first + number * each for number, push_id in enumerate(push_ids)}
    taking = _PACES.update().where(_PACES.c.campaign_id == campaign_id)
    await connection.execute(taking.values(taken_until=first + len(push_ids) * each))
    return {push_id: at for push_id, at in times.items() if at > now}
