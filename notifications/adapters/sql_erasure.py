"""Erasing a user from every table of this room that names one, and from others in one."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, Row, table_of
from kernel.adapters.tables import OutboxRow
from kernel.ids import UserId
from kernel.notices import NOTICE, RECALL, WITHDRAWAL
from notifications.adapters.audit_tables import AuditRow
from notifications.adapters.preference_tables import ConsentRow, PreferenceRow
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES
from notifications.adapters.send_tables import ListedRow, SendRow
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.tables import (
    NO_DEVICE,
    UNSETTLED,
    AttemptRow,
    CampaignVariablesRow,
    DeviceRow,
)
from notifications.adapters.thread_tables import ToldRow
from notifications.adapters.webhook_tables import DeliveryRow
from notifications.audit.types import Deed
from notifications.pushes import PushState

ERASED = "erased"
"""The reason of a push whose user was erased before it was sent; also what audit calls them."""

NOBODY = ""
"""Whom a notification was for, once its user was erased."""

DELETED: tuple[type[Row], ...] = (
    DeviceRow,
    PreferenceRow,
    ConsentRow,
    ListedRow,
    ToldRow,
    CampaignVariablesRow,
)
"""Tables whose rows of a user go as they are. The others that name users are dealt with below."""

DEALT_WITH: tuple[str, ...] = ("audit_records", "notifications", "pushes")

_ATTEMPTS = table_of(AttemptRow)
_DELIVERIES = table_of(DeliveryRow)
_OUTBOX = table_of(OutboxRow)
_SENDS = table_of(SendRow)
_AUDIT = table_of(AuditRow)


Part = Callable[[AsyncConnection, UserId, datetime], Awaitable[Mapping[str, int]]]
"""Erases a user from another room, within the transaction that it is given."""


class SqlEraser:
    """One transaction, so that nobody meets half a user; `others` erase the user from other
    rooms in it, before this one."""

    def __init__(self, database: Database, *, others: Sequence[Part] = ()) -> None:
        self._database = database
        self._others = others

    async def erase(self, user_id: UserId, *, deed: Deed, now: datetime) -> Mapping[str, int]:
        async with self._database.transaction() as connection:
            gone: dict[str, int] = {}
            for erase in self._others:
                gone |= await erase(connection, user_id, now)
            for row in DELETED:
                table = table_of(row)
                deleting = table.delete().where(table.c.user_id == user_id)
                gone[table.name] = (await connection.execute(deleting)).rowcount
            gone["notifications"] = await _delete_notifications(connection, user_id)
            gone["counted"] = await _blank_counted(connection, user_id, now)
            gone["audit_records"] = await _blank_audit(connection, user_id)
            await _blank_texts(connection, user_id)
            done = Deed(deed.actor, deed.action, deed.subject, details=gone)
            await write_audit(connection, [done], now)
            return gone


async def _delete_notifications(connection: AsyncConnection, user_id: UserId) -> int:
    """Those that nothing is counted from; pushes and attempts go with them."""
    uncounted = NOTIFICATIONS.delete().where(
        NOTIFICATIONS.c.user_id == user_id,
        NOTIFICATIONS.c.campaign_id.is_(None),
        NOTIFICATIONS.c.send_id.is_(None),
    )
    return (await connection.execute(uncounted)).rowcount


async def _blank_counted(connection: AsyncConnection, user_id: UserId, now: datetime) -> int:
    """Take user, device and words out of what campaigns and sends are counted from."""
    of_user = sa.select(NOTIFICATIONS.c.id).where(NOTIFICATIONS.c.user_id == user_id)
    theirs = PUSHES.c.notification_id.in_(of_user)
    unsent = PUSHES.update().where(theirs, sa.text(UNSETTLED))
    await connection.execute(
        unsent.values(
            # One that may be on a device already must not be called unsent.
            state=sa.case(
                (
                    sa.or_(PUSHES.c.ambiguous > 0, PUSHES.c.state == PushState.SENDING),
                    PushState.AMBIGUOUS.value,
                ),
                else_=PushState.SUPPRESSED.value,
            ),
            reason=ERASED,
            settled_at=now,
            leased_until=None,
        )
    )
    of_pushes = sa.select(PUSHES.c.id).where(theirs)
    await connection.execute(
        _ATTEMPTS.update().where(_ATTEMPTS.c.push_id.in_(of_pushes)).values(provider_id="")
    )
    blank: dict[str, Any] = {"user_id": NOBODY, "device_id": NO_DEVICE}
    await connection.execute(
        PUSHES.update().where(theirs).values(**blank, content="{}", collapse_key="")
    )
    blanking = NOTIFICATIONS.update().where(NOTIFICATIONS.c.user_id == user_id)
    return (await connection.execute(blanking.values(user_id=NOBODY))).rowcount


async def _blank_audit(connection: AsyncConnection, user_id: UserId) -> int:
    """What was done stays on record; whom it concerned, and who did it, if it was the user."""
    name, nobody = f"user:{user_id}", f"user:{ERASED}"
    blanking = (
        _AUDIT.update()
        .where(_AUDIT.c.user_id == user_id)
        .values(
            user_id=None,
            actor=sa.case((_AUDIT.c.actor == name, nobody), else_=_AUDIT.c.actor),
            subject=sa.case((_AUDIT.c.subject == name, nobody), else_=_AUDIT.c.subject),
        )
    )
    return (await connection.execute(blanking)).rowcount


async def _blank_texts(connection: AsyncConnection, user_id: UserId) -> None:
    """Take the name out of JSON that names many users: audiences, notices, news for webhooks.
    What waits for this user alone is not told."""
    name, nobody = (msgspec.json.encode(each).decode() for each in (user_id, ERASED))
    for kind, alone in (
        (NOTICE, f'"user_ids":[{name}]'),
        (WITHDRAWAL, f'"user_id":{name}'),
        (RECALL, f'"user_id":{name}'),
    ):
        waiting = _OUTBOX.c.payload.contains(alone, autoescape=True)
        await connection.execute(_OUTBOX.delete().where(_OUTBOX.c.kind == kind, waiting))
    # As an element of a list: the same word may be the value of something else.
    elements = [
        (f"{before}{name}{after}", f"{before}{nobody}{after}") for before in "[," for after in ",]"
    ]
    news = [(f'"user_id":{name}', '"user_id":null')]
    for column, only, replaced in (
        (_SENDS.c.audience, sa.true(), elements),
        (_OUTBOX.c.payload, _OUTBOX.c.kind == NOTICE, elements),
        (_DELIVERIES.c.body, sa.true(), news),
    ):
        for was, becomes in replaced:
            await connection.execute(
                sa.update(column.table)
                .where(only, column.contains(was, autoescape=True))
                .values({column.name: sa.func.replace(column, was, becomes)})
            )
