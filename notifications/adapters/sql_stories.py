"""Notifications with all that became of them: pushes, attempts, reports."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES
from notifications.adapters.report_tables import ReportRow
from notifications.adapters.sql_ledger import attempts_of, notification_of, push_record
from notifications.adapters.tables import DeviceRow
from notifications.pushes import Notification, PushRecord
from notifications.reports.types import Report, ReportEvent

_DEVICES = table_of(DeviceRow)
_REPORTS = table_of(ReportRow)


@dataclass(frozen=True, slots=True)
class PushStory:
    """A push, on what kind of device it is if that is still there, and what was reported."""

    push: PushRecord
    platform: str | None
    reports: Sequence[Report]


@dataclass(frozen=True, slots=True)
class Story:
    """A notification and its pushes."""

    notification: Notification
    pushes: Sequence[PushStory]


async def stories_of(database: Database, ids: Sequence[UUID]) -> Mapping[UUID, Story]:
    """By the notification's id; what was pruned is not there."""
    if not ids:
        return {}
    async with database.reading() as connection:
        found = list(
            await connection.execute(
                sa.select(NOTIFICATIONS).where(among(connection, NOTIFICATIONS.c.id, ids))
            )
        )
        known = [row.id for row in found]
        pushes = list(
            await connection.execute(
                sa.select(PUSHES, _DEVICES.c.platform.label("platform"))
                .outerjoin(_DEVICES, _DEVICES.c.id == PUSHES.c.device_id)
                .where(among(connection, PUSHES.c.notification_id, known))
                .order_by(PUSHES.c.id)
            )
        )
        push_ids = [row.id for row in pushes]
        attempts = await attempts_of(connection, push_ids)
        reports: dict[UUID, list[Report]] = defaultdict(list)
        for row in await connection.execute(
            sa.select(_REPORTS)
            .where(among(connection, _REPORTS.c.push_id, push_ids))
            .order_by(_REPORTS.c.at, _REPORTS.c.event)
        ):
            reports[row.push_id].append(Report(row.push_id, ReportEvent(row.event), row.at))
    told: dict[UUID, list[PushStory]] = defaultdict(list)
    for row in pushes:
        record = push_record(row, attempts[row.id])
        told[row.notification_id].append(PushStory(record, row.platform, reports[row.id]))
    return {row.id: Story(notification_of(row), told[row.id]) for row in found}
