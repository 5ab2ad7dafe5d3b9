"""What stands against users and tokens, in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, storable, table_of
from kernel.paging import Page, cursor_of, parts_of
from messaging.adapters.standing_tables import RestrictionRevisionRow, RestrictionRow
from messaging.standing.ports import Change
from messaging.standing.restrictions import Restriction, RestrictionKind

_restrictions = table_of(RestrictionRow)
_revisions = table_of(RestrictionRevisionRow)
_r, _newest = _restrictions.c, _revisions.c.newest

_NEXT = sa.update(_revisions).values(newest=_newest + 1).returning(_newest)


class SqlRestrictions:
    """Fulfils `RestrictionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        key = ["kind", "subject", "channel"]
        self._put = database.upsert(
            _restrictions,
            on=key,
            update=[each.name for each in _restrictions.c if each.name not in key],
        )

    async def impose(self, restriction: Restriction) -> None:
        async with self._database.transaction() as connection:
            values = {**_values(restriction), "revision": await _next_revision(connection)}
            await connection.execute(self._put, values)

    async def lift(
        self, kind: RestrictionKind, subject: str, *, channel: str = "", now: datetime
    ) -> bool:
        statement = sa.update(_restrictions).where(_is(kind, subject, channel), _stands(now))
        async with self._database.transaction() as connection:
            revision = await _next_revision(connection)
            lifted = await connection.execute(statement.values(ends_at=now, revision=revision))
        return lifted.rowcount == 1

    async def standing(
        self, kind: RestrictionKind, subject: str, *, channel: str = "", now: datetime
    ) -> Restriction | None:
        statement = sa.select(_restrictions).where(_is(kind, subject, channel), _stands(now))
        async with self._database.reading() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _restriction(row)

    async def all(
        self, kind: RestrictionKind, *, cursor: str | None, limit: int, now: datetime
    ) -> Page[Restriction]:
        key = (_r.subject, _r.channel)
        statement = (
            sa.select(_restrictions)
            .where(_r.kind == kind, _stands(now))
            .order_by(*key)
            .limit(limit + 1)
        )
        if cursor is not None:
            statement = statement.where(
                sa.tuple_(*key) > sa.tuple_(*map(storable, parts_of(cursor, 2)))
            )
        async with self._database.reading() as connection:
            rows = (await connection.execute(statement)).all()
        items = [_restriction(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return Page(items)
        return Page(items, cursor_of(items[-1].subject, items[-1].channel))

    async def changes(self, *, after: int, limit: int) -> Sequence[Change]:
        statement = (
            sa.select(_restrictions).where(_r.revision > after).order_by(_r.revision).limit(limit)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(statement)).all()
        return [Change(row.revision, _restriction(row)) for row in rows]

    async def prune(self, *, ended_before: datetime, limit: int) -> int:
        ended = (
            sa.select(_r.kind, _r.subject, _r.channel)
            .where(_r.ends_at < ended_before)
            .order_by(_r.ends_at)
            .limit(limit)
        )
        statement = sa.delete(_restrictions).where(
            sa.tuple_(_r.kind, _r.subject, _r.channel).in_(ended), _r.ends_at < ended_before
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount


async def _next_revision(connection: AsyncConnection) -> int:
    # Whoever wants the next one waits until this transaction has ended.
    revision: int = (await connection.execute(_NEXT)).scalar_one()
    return revision


def _is(kind: RestrictionKind, subject: str, channel: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        _r.kind == kind, _r.subject == storable(subject), _r.channel == storable(channel)
    )


def _stands(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(_r.ends_at.is_(None), _r.ends_at > now)


def _values(restriction: Restriction) -> Mapping[str, Any]:
    return {
        "kind": restriction.kind,
        "subject": restriction.subject,
        "channel": restriction.channel,
        "issued_before": restriction.issued_before,
        "reason": storable(restriction.reason),
        "imposed_at": restriction.imposed_at,
        "ends_at": restriction.ends_at,
    }


def _restriction(row: Any) -> Restriction:
    return Restriction(
        kind=RestrictionKind(row.kind),
        subject=row.subject,
        imposed_at=row.imposed_at,
        ends_at=row.ends_at,
        channel=row.channel,
        issued_before=row.issued_before,
        reason=row.reason,
    )
