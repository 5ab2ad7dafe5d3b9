"""Reports in a table."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from notifications.adapters.batches import among
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.report_tables import ReportRow
from notifications.adapters.send_rows import SENDS
from notifications.reports.types import Report

REPORTS = table_of(ReportRow)


class SqlReports:
    """A push that is pruned takes its reports with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, reports: Sequence[Report], *, now: datetime) -> int:
        first = {(each.push_id, each.event): each for each in reversed(reports)}
        async with self._database.transaction() as connection:
            # Held, so that none of them is pruned before its report is written.
            known = (
                sa.select(PUSHES.c.id, PUSHES.c.send_id, SENDS.c.watched)
                .outerjoin(SENDS, SENDS.c.id == PUSHES.c.send_id)
                .where(among(connection, PUSHES.c.id, sorted({each for each, _ in first})))
                .order_by(PUSHES.c.id)
                .with_for_update(read=True, key_share=True, of=PUSHES)
            )
            pushes = {row.id: row for row in await connection.execute(known)}
            rows = [
                {
                    "push_id": report.push_id,
                    "event": report.event,
                    "send_id": pushes[report.push_id].send_id,
                    "at": report.at,
                    "reported_at": now,
                    "untold": bool(pushes[report.push_id].watched),
                }
                for _, report in sorted(first.items())
                if report.push_id in pushes
            ]
            kept = 0
            inserting = self._database.insert_new(REPORTS, on=["push_id", "event"])
            for row in rows:
                kept += (await connection.execute(inserting.values(row))).rowcount
            return kept
