"""How a campaign's waiting pushes follow it when it is paused, resumed or cancelled."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from notifications.adapters.push_rows import PUSHES
from notifications.campaign import CampaignState
from notifications.pushes import PushState

CANCELLED = "cancelled"
"""The reason of a push whose campaign or send was cancelled before it was sent."""

_WAITING = (PushState.QUEUED, PushState.RETRY)


async def move_pushes(
    connection: AsyncConnection,
    campaign_id: UUID,
    state: CampaignState,
    limit: int,
    now: datetime,
) -> int:
    """Hold, release or suppress some of a campaign's pushes, as its state demands; how many."""
    match state:
        case CampaignState.PAUSED:
            return await _move(connection, campaign_id, _WAITING, limit, state=PushState.HELD)
        case CampaignState.CANCELLED:
            return await _move(
                connection,
                campaign_id,
                (*_WAITING, PushState.HELD),
                limit,
                state=PushState.SUPPRESSED,
                reason=CANCELLED,
                settled_at=now,
            )
        case _:
            # One that was tried before is tried again; its attempts are not forgotten.
            tried = sa.case(
                (PUSHES.c.attempts > 0, PushState.RETRY.value), else_=PushState.QUEUED.value
            )
            return await _move(connection, campaign_id, (PushState.HELD,), limit, state=tried)


async def is_flying(connection: AsyncConnection, campaign_id: UUID) -> bool:
    """Whether some of a campaign's pushes are with their providers."""
    flying = sa.exists().where(
        PUSHES.c.campaign_id == campaign_id, PUSHES.c.state == PushState.SENDING
    )
    return bool((await connection.execute(sa.select(flying))).scalar_one())


async def _move(
    connection: AsyncConnection,
    campaign_id: UUID,
    states: tuple[PushState, ...],
    limit: int,
    **values: Any,
) -> int:
    some = (
        sa.select(PUSHES.c.id)
        .where(PUSHES.c.campaign_id == campaign_id, PUSHES.c.state.in_(states))
        .limit(limit)
        .with_for_update()
        .cte("some")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    moving = (
        PUSHES.update()
        .where(PUSHES.c.id.in_(sa.select(some.c.id)))
        .values(**values)
        .returning(PUSHES.c.id)
    )
    return len((await connection.execute(moving)).all())
