"""Dead pushes, found by an index of their own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database
from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters.push_rows import PUSHES, content_of
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.sql_ledger import attempts_of
from notifications.adapters.tables import DEAD
from notifications.adapters.webhook_listening import listening
from notifications.audit.types import Deed
from notifications.dead.types import DeadPush, DeadQuery, Inquest, Redrive
from notifications.pushes import PushState
from notifications.types import Content, Route
from notifications.webhooks.types import NewsKind


class SqlDeadPushes:
    """Reads what dispatchers gave up, and gives it back to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, query: DeadQuery, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[DeadPush]:
        async with self._database.reading() as connection:
            wanted = sa.select(PUSHES).where(*_agreeing(connection, query))
            if before is not None:
                place = (PUSHES.c.settled_at, PUSHES.c.id)
                given = (
                    sa.literal(said, column.type)
                    for said, column in zip(before, place, strict=True)
                )
                wanted = wanted.where(sa.tuple_(*place) < sa.tuple_(*given))
            newest = (PUSHES.c.settled_at.desc(), PUSHES.c.id.desc())
            rows = await connection.execute(wanted.order_by(*newest).limit(limit))
            return [_dead(row) for row in rows]

    async def inquest(self, push_id: UUID) -> Inquest | None:
        wanted = sa.select(PUSHES).where(sa.text(DEAD), PUSHES.c.id == push_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
            if row is None:
                return None
            attempts = await attempts_of(connection, [push_id])
        return Inquest(_dead(row), _readable(row.content), attempts[push_id])

    async def redrive(self, redrive: Redrive, *, deed: Deed, now: datetime) -> Sequence[UUID]:
        expires_at: Any = PUSHES.c.expires_at
        if redrive.lifetime is not None:
            expires_at = sa.literal(now + redrive.lifetime, type_=PUSHES.c.expires_at.type)
        async with self._database.transaction() as connection:
            chosen = (
                sa.select(
                    PUSHES.c.id,
                    PUSHES.c.send_id,
                    PUSHES.c.campaign_id,
                    PUSHES.c.urgency,
                    PUSHES.c.category,
                )
                .where(*_agreeing(connection, redrive.query), expires_at > now)
                .order_by(PUSHES.c.settled_at, PUSHES.c.id)
                .limit(redrive.limit)
                .with_for_update(skip_locked=True)
            )
            rows = list(await connection.execute(chosen))
            if not rows:
                return []
            told = await listening(connection, NewsKind.OUTCOMES)
            heard = [row.id for row in rows if told.to(row)]
            reviving = (
                PUSHES.update()
                .where(among(connection, PUSHES.c.id, [row.id for row in rows]))
                .values(
                    state=PushState.QUEUED,
                    reason="",
                    due_at=now,
                    expires_at=expires_at,
                    settled_at=None,
                    first_tried_at=None,
                    # Earlier attempts no longer count against the patience of its class.
                    unsent=PUSHES.c.attempts,
                    # What becomes of it this time is told too.
                    untold=among(connection, PUSHES.c.id, heard),
                )
            )
            await connection.execute(reviving)
            await write_audit(connection, [deed], now)
        return [row.id for row in rows]


def _agreeing(connection: AsyncConnection, query: DeadQuery) -> list[sa.ColumnElement[bool]]:
    # Said literally, so that a prepared statement may use the partial index.
    agreeing: list[Any] = [sa.text(DEAD)]
    if query.push_ids:
        agreeing.append(among(connection, PUSHES.c.id, query.push_ids))
    if query.app_id is not None:
        agreeing.append(PUSHES.c.app_id == query.app_id)
    if query.route is not None:
        agreeing.append(PUSHES.c.route == query.route)
    if query.urgency is not None:
        agreeing.append(PUSHES.c.urgency == query.urgency)
    if query.reason:
        agreeing.append(PUSHES.c.reason == query.reason)
    return agreeing


def _dead(row: sa.Row[Any]) -> DeadPush:
    return DeadPush(
        id=row.id,
        notification_id=row.notification_id,
        user_id=UserId(row.user_id),
        device_id=row.device_id,
        app_id=row.app_id,
        route=Route(row.route),
        urgency=Urgency(row.urgency),
        reason=row.reason,
        attempts=row.attempts,
        created_at=row.created_at,
        died_at=row.settled_at,
        expires_at=row.expires_at,
    )


def _readable(content: str) -> Content | None:
    try:
        return content_of(content)
    except msgspec.MsgspecError:
        return None
