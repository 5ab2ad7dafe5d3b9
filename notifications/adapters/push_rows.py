"""Notifications and pushes as rows: a plan written, a holding read."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import table_of
from kernel.notices import Urgency
from notifications.adapters.batches import insert_new, storable
from notifications.adapters.send_tables import SendRow
from notifications.adapters.tables import NO_DEVICE, NotificationRow, PushRow
from notifications.adapters.webhook_listening import Listening, listening
from notifications.pushes import HeldPush, Notification, Push, PushState
from notifications.types import (
    AddressKind,
    Attempt,
    Content,
    Environment,
    Route,
)
from notifications.webhooks.types import NewsKind

NOTIFICATIONS = table_of(NotificationRow)
PUSHES = table_of(PushRow)
SENDS = table_of(SendRow)

content_of = lru_cache(maxsize=256)(msgspec.json.Decoder(Content).decode)
"""What a push's row says. Raises `MsgspecError` for what no release of ours has written.

The pushes of one notice, in one language, say the same; they are claimed one after the other.
"""


Pace = Callable[[AsyncConnection, Sequence[Push]], Awaitable[Sequence[Push]]]
"""What becomes of new pushes as they are written: `sql_threads.paced`."""


async def write_plan(
    connection: AsyncConnection,
    notifications: Sequence[Notification],
    pushes: Sequence[Push],
    *,
    whole: bool,
    pace: Pace | None = None,
) -> int:
    """Write what is new of a plan in the transaction of `connection`; how many pushes.

    A `whole` plan names every push of its notifications, so one that is there already has
    all of its own; a part of a larger plan may add pushes to it. What belongs to a send that
    was cancelled is left out. `pace` may put off what is new, or let it take another's place.
    """
    send_ids = {each.send_id for each in notifications if each.send_id is not None}
    live = await _live(connection, send_ids) if send_ids else frozenset()
    by_id = {
        each.id: each for each in notifications if each.send_id is None or each.send_id in live
    }
    fresh = set(
        await insert_new(
            connection,
            NOTIFICATIONS,
            [notification_row(by_id[each]) for each in sorted(by_id)],
        )
    )
    wanted = {
        push.id: push for push in pushes if push.notification_id in (fresh if whole else by_id)
    }
    if pace is not None and wanted:
        wanted = {each.id: each for each in await pace(connection, list(wanted.values()))}
    if not wanted:
        return 0
    encoded: dict[int, str] = {}
    # Whoever wants to be told says so before: what was planned earlier is not told afterwards.
    told = await listening(connection, NewsKind.OUTCOMES)
    rows = [_push_row(wanted[each], encoded, told) for each in sorted(wanted)]
    return len(await insert_new(connection, PUSHES, rows))


async def _live(connection: AsyncConnection, send_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of the sends that are not cancelled, kept from being so until the transaction ends."""
    live = (
        sa.select(SENDS.c.id)
        .where(among(connection, SENDS.c.id, sorted(send_ids)), SENDS.c.cancelled_at.is_(None))
        .order_by(SENDS.c.id)
        .with_for_update(read=True)
    )
    return frozenset((await connection.execute(live)).scalars())


HELD = (
    PUSHES.c.id,
    PUSHES.c.attempts,
    PUSHES.c.route,
    PUSHES.c.urgency,
    PUSHES.c.device_id,
    PUSHES.c.fence,
    PUSHES.c.started_at,
    PUSHES.c.first_tried_at,
    PUSHES.c.expires_at,
    PUSHES.c.unsent,
    PUSHES.c.ambiguous,
    PUSHES.c.campaign_id,
)


def held_of(row: Any, *, generation: int, accepted_at: datetime | None) -> HeldPush:
    """The holding that a row with the columns `HELD` says."""
    return HeldPush(
        id=row.id,
        number=row.attempts,
        route=Route(row.route),
        urgency=Urgency(row.urgency),
        device_id=row.device_id,
        generation=generation,
        fence=row.fence,
        started_at=row.started_at,
        first_tried_at=row.first_tried_at,
        expires_at=row.expires_at,
        unsent=row.unsent,
        ambiguous=row.ambiguous,
        accepted_at=accepted_at,
        campaign_id=row.campaign_id,
    )


def attempt_of(row: Any, device: Any, *, report_id: str = "") -> Attempt:
    """The attempt of a push row at the address of a device row, or at its own topic."""
    return Attempt(
        push_id=row.id,
        number=row.attempts,
        address_kind=AddressKind(device.address_kind if device else row.topic_kind),
        address=device.address if device else row.topic,
        environment=Environment(device.environment) if device else Environment.PRODUCTION,
        urgency=Urgency(row.urgency),
        content=content_of(row.content),
        collapse_key=row.collapse_key,
        expires_at=row.expires_at,
        report_id=report_id,
    )


def notification_row(notification: Notification) -> Mapping[str, Any]:
    return {
        "id": notification.id,
        "user_id": notification.user_id,
        "template": notification.template,
        "category": notification.category,
        "urgency": notification.urgency,
        "created_at": notification.created_at,
        "expires_at": notification.expires_at,
        "campaign_id": notification.campaign_id,
        "send_id": notification.send_id,
        "thread": storable(notification.thread),
        "exact": notification.exact,
    }


def _push_row(push: Push, encoded: dict[int, str], told: Listening) -> Mapping[str, Any]:
    """`encoded` keeps the text of contents that many pushes share."""
    content = encoded.get(id(push.content))
    if content is None:
        content = encoded[id(push.content)] = msgspec.json.encode(push.content).decode()
    return {
        "id": push.id,
        "notification_id": push.notification_id,
        "user_id": push.user_id,
        "device_id": push.device_id or NO_DEVICE,
        "campaign_id": push.campaign_id,
        "send_id": push.send_id,
        "topic_kind": push.topic.kind if push.topic else None,
        "topic": push.topic.address if push.topic else None,
        "untold": told.to(push),
        "exact": push.exact,
        "route": push.route,
        "urgency": push.urgency,
        "category": push.category,
        "state": PushState.SUPPRESSED if push.suppressed else PushState.QUEUED,
        "content": content,
        "collapse_key": push.collapse_key,
        "created_at": push.created_at,
        "due_at": push.due_at or push.created_at,
        "expires_at": push.expires_at,
        "attempts": 0,
        "unsent": 0,
        "ambiguous": 0,
        "fence": 0,
        "app_id": push.app_id,
        "reason": push.suppressed,
        "settled_at": push.created_at if push.suppressed else None,
    }
