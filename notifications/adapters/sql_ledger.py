"""What operators ask about pushes, from the same tables."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters import push_lanes
from notifications.adapters.app_tables import AppRow
from notifications.adapters.frequency import told_since
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES
from notifications.adapters.tables import (
    NO_DEVICE,
    UNSETTLED,
    WAITING,
    AttemptRow,
    PushRequestRow,
)
from notifications.adapters.thread_tables import ToldRow
from notifications.pushes import AttemptRecord, Notification, PushRecord, PushState
from notifications.types import DEFAULT_APP, Route, Verdict

_APPS = table_of(AppRow)
_ATTEMPTS = table_of(AttemptRow)
_REQUESTS = table_of(PushRequestRow)
_TOLD = table_of(ToldRow)


class SqlLedger:
    """Reads what dispatchers write, and forgets what nobody asks about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def notification(
        self, either_id: UUID
    ) -> tuple[Notification, Sequence[PushRecord]] | None:
        of_push = sa.select(PUSHES.c.notification_id).where(PUSHES.c.id == either_id)
        wanted = sa.select(NOTIFICATIONS).where(
            sa.or_(NOTIFICATIONS.c.id == either_id, NOTIFICATIONS.c.id.in_(of_push))
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(wanted)).one_or_none()
            if found is None:
                return None
            pushes = list(
                await connection.execute(
                    sa.select(PUSHES)
                    .where(PUSHES.c.notification_id == found.id)
                    .order_by(PUSHES.c.id)
                )
            )
            attempts = await attempts_of(connection, [row.id for row in pushes])
        return notification_of(found), [push_record(row, attempts[row.id]) for row in pushes]

    async def marketed(
        self, user_id: UserId, category: str, *, since: datetime
    ) -> Mapping[UUID, datetime]:
        async with self._database.reading() as connection:
            told = await told_since(connection, [user_id], since)
        return told[user_id, category]

    async def ages(self, *, now: datetime) -> Mapping[tuple[str, Route, Urgency], float]:
        ages: dict[tuple[str, Route, Urgency], float] = {}
        async with self._database.reading() as connection:
            app_ids = [DEFAULT_APP, *await connection.scalars(sa.select(_APPS.c.id))]
            # One look at the head of each lane; grouping would read every waiting push.
            for app_id, route, urgency in await push_lanes.waiting(connection, app_ids, now):
                oldest = (
                    sa.select(PUSHES.c.due_at)
                    .where(
                        sa.text(WAITING),
                        PUSHES.c.app_id == app_id,
                        PUSHES.c.route == route,
                        PUSHES.c.urgency == urgency,
                        PUSHES.c.due_at <= now,
                    )
                    .order_by(PUSHES.c.due_at, PUSHES.c.id)
                    .limit(1)
                )
                due_at = (await connection.execute(oldest)).scalar_one_or_none()
                if due_at is not None:
                    ages[app_id, route, urgency] = (now - due_at).total_seconds()
        return ages

    async def prune(self, *, before: datetime, campaigns_before: datetime, limit: int) -> int:
        busy = sa.exists().where(PUSHES.c.notification_id == NOTIFICATIONS.c.id, sa.text(UNSETTLED))
        old = (
            sa.select(NOTIFICATIONS.c.id)
            .where(
                NOTIFICATIONS.c.created_at < before,
                sa.or_(
                    NOTIFICATIONS.c.campaign_id.is_(None),
                    NOTIFICATIONS.c.created_at < campaigns_before,
                ),
                ~busy,
            )
            .order_by(NOTIFICATIONS.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            # Pushes and attempts go with them: their foreign keys cascade.
            pruned = await connection.execute(
                NOTIFICATIONS.delete().where(NOTIFICATIONS.c.id.in_(old))
            )
            forgotten = _REQUESTS.c.created_at < before
            await connection.execute(_REQUESTS.delete().where(forgotten))
            await connection.execute(_TOLD.delete().where(_TOLD.c.due_at < before))
            return pruned.rowcount


async def attempts_of(
    connection: AsyncConnection, push_ids: Sequence[UUID]
) -> Mapping[UUID, list[AttemptRecord]]:
    """The settled attempts of pushes, in order."""
    wanted = (
        sa.select(_ATTEMPTS)
        .where(among(connection, _ATTEMPTS.c.push_id, push_ids))
        .order_by(_ATTEMPTS.c.push_id, _ATTEMPTS.c.number)
    )
    attempts: dict[UUID, list[AttemptRecord]] = defaultdict(list)
    for row in await connection.execute(wanted):
        attempts[row.push_id].append(_attempt(row))
    return attempts


def notification_of(row: sa.Row[Any]) -> Notification:
    """What a notification's row says."""
    return Notification(
        id=row.id,
        user_id=UserId(row.user_id),
        template=row.template,
        category=row.category,
        urgency=Urgency(row.urgency),
        created_at=row.created_at,
        expires_at=row.expires_at,
        campaign_id=row.campaign_id,
        send_id=row.send_id,
        thread=row.thread,
        exact=row.exact,
    )


def push_record(row: sa.Row[Any], attempts: Sequence[AttemptRecord]) -> PushRecord:
    """What a push's row tells an operator."""
    return PushRecord(
        id=row.id,
        device_id=None if row.device_id == NO_DEVICE else row.device_id,
        route=Route(row.route),
        state=PushState(row.state),
        reason=row.reason,
        due_at=row.due_at,
        settled_at=row.settled_at,
        attempts=attempts,
    )


def _attempt(row: sa.Row[Any]) -> AttemptRecord:
    return AttemptRecord(
        number=row.number,
        verdict=Verdict(row.verdict),
        reason=row.reason,
        provider_id=row.provider_id,
        started_at=row.started_at,
        settled_at=row.settled_at,
    )
