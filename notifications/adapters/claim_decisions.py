"""Which of the pushes that were just claimed must not go out now, and which never.

What was planned an hour ago is decided about again by what its user says now. Most users have
never said anything: then this costs nothing but a look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters.frequency import Lately, told_since
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_preferences import choices_of, said_of
from notifications.deciding.categories import DAY, Rulebook
from notifications.deciding.decision import NO_PREFERENCES, decide, is_free
from notifications.deciding.types import Answer, Asked, Decision, Said
from notifications.pushes import PushState


async def withheld(
    connection: AsyncConnection,
    rows: Sequence[Any],
    devices: Mapping[UUID, Any],
    *,
    rulebook: Rulebook,
    now: datetime,
) -> Mapping[UUID, Decision]:
    """The decisions about those of the claimed rows that are not to be sent, by their id.

    `devices` have the choices of their users.
    """
    asked: list[tuple[Any, Any, Urgency]] = []
    # Many have chosen alike: what nobody's choice can hold back is seen once for all of them.
    free: dict[tuple[str, str, str | None], bool] = {}
    for row in rows:
        device = devices.get(row.device_id)
        if device is None:
            continue
        alike = row.category, row.urgency, device.choices
        if alike not in free:
            free[alike] = _is_free(*alike, rulebook)
        if not free[alike]:
            asked.append((row, device, Urgency(row.urgency)))
    if not asked:
        return {}
    said = await said_of(
        connection,
        {UserId(d.user_id): choices_of(d.choices) for _, d, _ in asked if d.choices is not None},
    )
    lately = await _lately(connection, asked, rulebook, now)
    found: dict[UUID, Decision] = {}
    for row, device, urgency in asked:
        user_id = UserId(row.user_id)
        facts = rulebook.facts(said, user_id, category=row.category, urgency=urgency)
        if lately is not None and urgency is Urgency.MARKETING:
            told = lately[user_id, row.category]
            others = [at for each, at in told.items() if each != row.notification_id]
            facts = replace(facts, enough_until=rulebook.enough_until(others))
        decision = decide(_asked(row, device, urgency, now), facts)
        if decision.answer is not Answer.SEND:
            found[row.id] = decision
        elif lately is not None and urgency is Urgency.MARKETING:
            # What goes out with this very claim counts for what comes after it.
            lately[user_id, row.category][row.notification_id] = now
    return found


async def _lately(
    connection: AsyncConnection,
    asked: Sequence[tuple[Any, Any, Urgency]],
    rulebook: Rulebook,
    now: datetime,
) -> Lately | None:
    """What marketing the users were told, if there can be too much of it."""
    users = {UserId(row.user_id) for row, _, urgency in asked if urgency is Urgency.MARKETING}
    if not rulebook.marketing_per_day or not users:
        return None
    return await told_since(connection, users, now - DAY)


def _is_free(category: str, urgency: str, choices: str | None, rulebook: Rulebook) -> bool:
    preferences = NO_PREFERENCES if choices is None else choices_of(choices)
    user = UserId("")
    said = Said({user: preferences})
    return is_free(
        category, rulebook.facts(said, user, category=category, urgency=Urgency(urgency))
    )


def _asked(row: Any, device: Any, urgency: Urgency, now: datetime) -> Asked:
    return Asked(
        category=row.category,
        urgency=urgency,
        at=now,
        expires_at=row.expires_at,
        device_id=row.device_id,
        time_zone=device.time_zone,
        exact=row.exact,
    )


def postponed_row(row: Any, decision: Decision) -> Mapping[str, Any]:
    """What becomes of a claimed push that must wait."""
    return {"push_id": row.id, "new_due_at": decision.until, "new_reason": decision.reason}


POSTPONE = (
    PUSHES.update()
    .where(PUSHES.c.id == sa.bindparam("push_id"))
    .values(
        # It was not tried: one that never was is as new again.
        state=sa.case((PUSHES.c.attempts > 1, PushState.RETRY.value), else_=PushState.QUEUED.value),
        first_tried_at=sa.case((PUSHES.c.attempts > 1, PUSHES.c.first_tried_at), else_=None),
        attempts=PUSHES.c.attempts - 1,
        due_at=sa.bindparam("new_due_at", type_=PUSHES.c.due_at.type),
        reason=sa.bindparam("new_reason"),
        leased_until=None,
    )
)
