"""What is asked about sends, from the same tables."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.among import among
from kernel.adapters.database import Database
from kernel.ids import UserId
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES
from notifications.adapters.send_rows import SENDS, send_of
from notifications.adapters.sql_ledger import attempts_of, push_record
from notifications.adapters.sql_reports import REPORTS
from notifications.pushes import PushState
from notifications.sends.types import Send, SentPush, Tally


class SqlSendLedger:
    """Totals are counted from the rows, never kept beside them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, send_id: UUID) -> Send | None:
        async with self._database.reading() as connection:
            found = await connection.execute(sa.select(SENDS).where(SENDS.c.id == send_id))
            row = found.one_or_none()
        return None if row is None else send_of(row)

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Send]:
        newest = sa.select(SENDS).order_by(SENDS.c.created_at.desc(), SENDS.c.id.desc())
        if before is not None:
            place = sa.select(SENDS.c.created_at).where(SENDS.c.id == before).scalar_subquery()
            newest = newest.where(
                sa.or_(
                    SENDS.c.created_at < place,
                    sa.and_(SENDS.c.created_at == place, SENDS.c.id < before),
                )
            )
        async with self._database.reading() as connection:
            return [send_of(row) for row in await connection.execute(newest.limit(limit))]

    async def tally(self, send_id: UUID) -> Tally:
        by_state = (
            sa.select(PUSHES.c.state, sa.func.count())
            .where(PUSHES.c.send_id == send_id)
            .group_by(PUSHES.c.state)
        )
        told = sa.select(sa.func.count()).where(NOTIFICATIONS.c.send_id == send_id)
        has_push = sa.exists().where(PUSHES.c.notification_id == NOTIFICATIONS.c.id)
        events = (
            sa.select(REPORTS.c.event, sa.func.count().label("told"))
            .where(REPORTS.c.send_id == send_id)
            .group_by(REPORTS.c.event)
        )
        # In this order: a push that is planned meanwhile makes nobody unreachable.
        async with self._database.reading() as connection:
            users = (await connection.execute(told)).scalar_one()
            unreachable = (await connection.execute(told.where(~has_push))).scalar_one()
            states = {
                PushState(state): count for state, count in await connection.execute(by_state)
            }
            said = {row.event: row.told for row in await connection.execute(events)}
        return Tally(pushes=states, told=users, unreachable=unreachable, reports=said)

    async def pushes(
        self, send_id: UUID, *, states: Collection[PushState], after: UUID | None, limit: int
    ) -> Sequence[SentPush]:
        wanted = (
            sa.select(PUSHES).where(PUSHES.c.send_id == send_id).order_by(PUSHES.c.id).limit(limit)
        )
        if states:
            wanted = wanted.where(PUSHES.c.state.in_(sorted(states)))
        if after is not None:
            wanted = wanted.where(PUSHES.c.id > after)
        async with self._database.reading() as connection:
            rows = list(await connection.execute(wanted))
            push_ids = [row.id for row in rows]
            attempts = await attempts_of(connection, push_ids)
            said = sa.select(REPORTS).where(among(connection, REPORTS.c.push_id, push_ids))
            reports: dict[UUID, dict[str, datetime]] = defaultdict(dict)
            for report in await connection.execute(said):
                reports[report.push_id][report.event] = report.at
        return [
            SentPush(
                user_id=UserId(row.user_id) if row.user_id else None,
                notification_id=row.notification_id,
                push=push_record(row, attempts[row.id]),
                reports=reports[row.id],
            )
            for row in rows
        ]
