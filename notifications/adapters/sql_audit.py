"""The audit trail in a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.ids import UserId, new_id
from notifications.adapters.audit_tables import AuditRow
from notifications.adapters.batches import storable
from notifications.audit.types import AuditQuery, AuditRecord, Deed, Detail

AUDIT = table_of(AuditRow)

NAME_LENGTH = 255
ACTION_LENGTH = 64
DETAIL_LENGTH = 1024

_details = msgspec.json.Decoder(dict[str, Detail])


async def write_audit(connection: AsyncConnection, deeds: Sequence[Deed], now: datetime) -> None:
    """Record deeds in the transaction of `connection`, which also does them."""
    if deeds:
        await connection.execute(AUDIT.insert(), [_row(each, now) for each in deeds])


class SqlAudit:
    """Rows are written once; only their age, or a user's erasure, touches them again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, deeds: Sequence[Deed], *, now: datetime) -> None:
        async with self._database.transaction() as connection:
            await write_audit(connection, deeds, now)

    async def page(
        self, query: AuditQuery, *, before: UUID | None, limit: int
    ) -> Sequence[AuditRecord]:
        statement = sa.select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
        if query.actor:
            statement = statement.where(AUDIT.c.actor == query.actor)
        if query.action:
            of_noun = AUDIT.c.action.startswith(f"{query.action}.", autoescape=True)
            statement = statement.where(sa.or_(AUDIT.c.action == query.action, of_noun))
        if query.subject:
            statement = statement.where(AUDIT.c.subject == query.subject)
        if query.user_id is not None:
            statement = statement.where(AUDIT.c.user_id == query.user_id)
        if before is not None:
            statement = statement.where(AUDIT.c.id < before)
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(statement)]

    async def prune(self, *, before: datetime, limit: int) -> int:
        # Ids sort by time, so the oldest are found without an index on the instant.
        old = (
            sa.select(AUDIT.c.id)
            .where(AUDIT.c.id < _first_id_at(before), AUDIT.c.at < before)
            .order_by(AUDIT.c.id)
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            deleting = AUDIT.delete().where(AUDIT.c.id.in_(old))
            return (await connection.execute(deleting)).rowcount


def _row(deed: Deed, now: datetime) -> Mapping[str, Any]:
    return {
        "id": new_id(now),
        "at": now,
        "actor": storable(deed.actor, length=NAME_LENGTH),
        "action": storable(deed.action, length=ACTION_LENGTH),
        "subject": storable(deed.subject, length=NAME_LENGTH),
        "user_id": deed.user_id,
        "details": msgspec.json.encode(
            {name: _detail(value) for name, value in deed.details.items()}
        ).decode(),
    }


def _detail(value: Detail) -> Detail:
    return storable(value, length=DETAIL_LENGTH) if isinstance(value, str) else value


def _record(row: sa.Row[Any]) -> AuditRecord:
    return AuditRecord(
        id=row.id,
        at=row.at,
        deed=Deed(
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            user_id=None if row.user_id is None else UserId(row.user_id),
            details=_details.decode(row.details),
        ),
    )


def _first_id_at(instant: datetime) -> UUID:
    """The least id that could be made at this instant or later."""
    return UUID(int=new_id(instant).int >> 80 << 80)
