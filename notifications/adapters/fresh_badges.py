"""Badges of pushes that waited: what their users have not read by now.

A badge is absolute. What waited for its turn in a busy conversation, or for its provider, would
otherwise set the icon back to what it was before other conversations went on.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kernel.errors import Unavailable
from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.coalescing.ports import Unread
from notifications.pushes import HeldPush
from notifications.types import Attempt

FRESH = timedelta(seconds=1)
"""So old a badge may be: what leaves at once is not counted twice."""


async def recounted(
    found: Sequence[tuple[HeldPush, Attempt]],
    rows: Sequence[Any],
    unread: Unread,
    *,
    now: datetime,
) -> Sequence[tuple[HeldPush, Attempt]]:
    """What was claimed from `rows`, with badges as of now. Those of sends say what they were told.

    While nobody can say it, they stay as they are: what was claimed must leave.
    """
    waited: dict[UUID, UserId] = {
        row.id: UserId(row.user_id)
        for row in rows
        if row.urgency == Urgency.INTERACTIVE
        and row.send_id is None
        and now - row.created_at > FRESH
    }
    asked = {
        waited[push.id]
        for push, attempt in found
        if push.id in waited and attempt.content.badge is not None
    }
    if not asked:
        return found
    try:
        counts = await unread.unread(asked)
    except Unavailable:
        return found
    return [
        (push, _with_badge(attempt, counts.get(waited[push.id], 0)))
        if push.id in waited and attempt.content.badge is not None
        else (push, attempt)
        for push, attempt in found
    ]


def _with_badge(attempt: Attempt, badge: int) -> Attempt:
    return replace(attempt, content=replace(attempt.content, badge=badge))
