"""Reports in a table."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.report_tables import ReportRow
from notifications.adapters.webhook_listening import listening
from notifications.reports.types import Report
from notifications.webhooks.types import NewsKind

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
                sa.select(
                    PUSHES.c.id,
                    PUSHES.c.send_id,
                    PUSHES.c.campaign_id,
                    PUSHES.c.urgency,
                    PUSHES.c.category,
                )
                .where(among(connection, PUSHES.c.id, sorted({each for each, _ in first})))
                .order_by(PUSHES.c.id)
                .with_for_update(read=True, key_share=True)
            )
            pushes = {row.id: row for row in await connection.execute(known)}
            told = await listening(connection, NewsKind.REPORTS)
            rows = [
                {
                    "push_id": report.push_id,
                    "event": report.event,
                    "send_id": pushes[report.push_id].send_id,
                    "at": report.at,
                    "reported_at": now,
                    "untold": told.to(pushes[report.push_id]),
                }
                for _, report in sorted(first.items())
                if report.push_id in pushes
            ]
            kept = 0
            inserting = self._database.insert_new(REPORTS, on=["push_id", "event"])
            for row in rows:
                kept += (await connection.execute(inserting.values(row))).rowcount
            return kept
