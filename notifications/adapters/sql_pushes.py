"""The truth about pushes in tables: plan, claim, settle."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.notices import Urgency
from notifications.adapters import push_lanes
from notifications.adapters.campaign_paces import CampaignPaces, slotted_row
from notifications.adapters.claim_decisions import POSTPONE, postponed_row, withheld
from notifications.adapters.fresh_badges import recounted
from notifications.adapters.overtaken import overtaken
from notifications.adapters.push_rows import (
    HELD,
    PUSHES,
    SENDS,
    attempt_of,
    held_of,
    write_plan,
)
from notifications.adapters.push_settling import write_settlements
from notifications.adapters.push_targets import devices_by_id, elsewhere, is_for
from notifications.adapters.sql_recalls import RECALLED, recalled
from notifications.adapters.sql_threads import COALESCED, paced
from notifications.adapters.tables import (
    SENDING,
    UNSETTLED,
    WAITING,
    CampaignRow,
)
from notifications.coalescing.ports import Unread
from notifications.deciding.categories import USUAL, Rulebook
from notifications.deciding.types import Answer
from notifications.pushes import Claim, HeldPush, Notification, Push, PushState, Settlement
from notifications.types import DEFAULT_APP, Attempt, Route

_CAMPAIGNS = table_of(CampaignRow)

DEVICE_GONE = "device_gone"
"""The reason of a push whose device was forgotten, disabled or given away before it was sent."""

UNREADABLE = "unreadable"
"""The reason of a push whose row holds what no release of ours has written."""


class SqlPushes:
    """Any number of dispatchers may claim at once; on PostgreSQL none waits for another."""

    def __init__(
        self,
        database: Database,
        *,
        rulebook: Rulebook = USUAL,
        report_id: Callable[[UUID], str] = lambda _: "",
        unread: Unread | None = None,
    ) -> None:
        """With `unread`, badges of what waited are counted anew when it leaves."""
        self._database = database
        self._report_id = report_id
        self._rulebook = rulebook
        self._unread = unread
        self._paces = CampaignPaces()

    async def plan(self, notifications: Sequence[Notification], pushes: Sequence[Push]) -> int:
        async with self._database.transaction() as connection:
            return await write_plan(connection, notifications, pushes, whole=True, pace=paced)

    async def waiting(
        self, *, now: datetime, app_ids: Sequence[str] = (DEFAULT_APP,)
    ) -> Collection[tuple[str, Route, Urgency]]:
        async with self._database.reading() as connection:
            return await push_lanes.waiting(connection, app_ids, now)

    async def claim(
        self,
        route: Route,
        urgency: Urgency,
        *,
        now: datetime,
        lease: timedelta,
        limit: int,
        app_id: str = DEFAULT_APP,
    ) -> Claim:
        wanted = {
            "of_app": app_id,
            "on_route": route,
            "of_urgency": urgency,
            "at": now,
            "until": now + lease,
            "most": limit,
        }
        async with self._database.transaction() as connection:
            rows = list(await connection.execute(_CLAIM, wanted))
            if not rows:
                return Claim([])
            rows.sort(key=lambda row: (row.due_at, row.id))
            devices = await devices_by_id(connection, [row.device_id for row in rows])
            decided = await withheld(connection, rows, devices, rulebook=self._rulebook, now=now)
            # Only what is transactional is ever recalled.
            over = await recalled(connection, rows) if urgency is Urgency.TRANSACTIONAL else ()
            late = await overtaken(connection, rows, now=now)
            slots: Mapping[UUID, datetime] = {}
            if urgency is Urgency.MARKETING:
                # Nothing else is of a campaign.
                sent = [
                    each for each in rows if each.device_id in devices and each.id not in decided
                ]
                slots = await self._paces.slots(connection, sent, now=now)
            found: list[tuple[HeldPush, Attempt]] = []
            ended: list[Mapping[str, Any]] = []
            postponed: list[Mapping[str, Any]] = []
            for row in rows:
                device = devices.get(row.device_id)
                try:
                    if row.topic is not None:
                        # No device takes it, so there is none to learn about.
                        held = held_of(row, generation=0, accepted_at=now)
                        found.append((held, attempt_of(row, None)))
                    elif device is None or not is_for(row, device, app_id, route):
                        ended.append(_ended(row, PushState.SUPPRESSED, DEVICE_GONE, now))
                    elif row.id in over:
                        ended.append(_ended(row, PushState.SUPPRESSED, RECALLED, now))
                    elif row.id in late:
                        ended.append(_ended(row, PushState.SUPPRESSED, COALESCED, now))
                    elif (decision := decided.get(row.id)) is not None:
                        if decision.answer is Answer.HOLD:
                            postponed.append(postponed_row(row, decision))
                        else:
                            reason = str(decision.reason)
                            ended.append(_ended(row, PushState.SUPPRESSED, reason, now))
                    elif row.id in slots:
                        postponed.append(slotted_row(row, slots[row.id]))
                    else:
                        found.append(self._held(row, device))
                except (ValueError, msgspec.MsgspecError):
                    # Claimed again and again, it would hold up its lane for good.
                    ended.append(_ended(row, PushState.DEAD, UNREADABLE, now))
            if ended:
                await connection.execute(_END, ended)
            if postponed:
                await connection.execute(POSTPONE, postponed)
        pushes: Sequence[tuple[HeldPush, Attempt]] = found
        if self._unread is not None:
            pushes = await recounted(found, rows, self._unread, now=now)
        return Claim(pushes, len(ended), len(postponed))

    def _held(self, row: Any, device: Any) -> tuple[HeldPush, Attempt]:
        held = held_of(row, generation=device.generation, accepted_at=device.accepted_at)
        attempt = attempt_of(row, device, report_id=self._report_id(row.id))
        if (other := elsewhere(row, device)) is not None:
            held = replace(held, elsewhere=other)
            attempt = replace(attempt, environment=other)
        return held, attempt

    async def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> frozenset[UUID]:
        async with self._database.single() as connection:
            return await write_settlements(connection, settlements, now)

    async def reclaim(self, *, now: datetime, lease: timedelta, limit: int) -> Sequence[HeldPush]:
        lost = (
            sa.select(PUSHES.c.id)
            .where(sa.text(SENDING), PUSHES.c.leased_until <= now)
            .order_by(PUSHES.c.leased_until)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("lost")
            .prefix_with("MATERIALIZED", dialect="postgresql")
        )
        taking = (
            PUSHES.update()
            .where(PUSHES.c.id.in_(sa.select(lost.c.id)))
            .values(fence=PUSHES.c.fence + 1, leased_until=now + lease)
            .returning(*HELD)
        )
        async with self._database.transaction() as connection:
            # Which address the lost attempt went to no longer matters: no outcome will blame it.
            return [
                held_of(row, generation=0, accepted_at=None)
                for row in await connection.execute(taking)
            ]

    async def expire(self, *, now: datetime, limit: int) -> int:
        late = (
            sa.select(PUSHES.c.id)
            .where(
                sa.text(UNSETTLED),
                PUSHES.c.expires_at <= now,
                PUSHES.c.state != PushState.SENDING,
            )
            .order_by(PUSHES.c.expires_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("late")
            .prefix_with("MATERIALIZED", dialect="postgresql")
        )
        # One that may be on a device already is not "expired" for want of a second attempt.
        state = sa.case(
            (PUSHES.c.ambiguous > 0, PushState.AMBIGUOUS.value), else_=PushState.EXPIRED.value
        )
        async with self._database.transaction() as connection:
            ending = (
                PUSHES.update()
                .where(PUSHES.c.id.in_(sa.select(late.c.id)))
                .values(state=state, settled_at=now)
                .returning(PUSHES.c.id)
            )
            return len((await connection.execute(ending)).all())


def _ended(row: Any, state: PushState, reason: str, now: datetime) -> Mapping[str, Any]:
    """The end of a push that was claimed and will not be sent."""
    # One that may be on a device already must not be called unsent.
    state = PushState.AMBIGUOUS if row.ambiguous else state
    return {"push_id": row.id, "new_state": state, "new_reason": reason, "at": now}


# Statements are built once: SQLAlchemy takes longer to build one than the database to run it.

_AT = sa.bindparam("at", type_=PUSHES.c.due_at.type)
_DUE = (
    sa.select(PUSHES.c.id)
    .where(
        # Literals, so that the plan of a prepared statement may use the partial index.
        sa.text(WAITING),
        PUSHES.c.app_id == sa.bindparam("of_app"),
        PUSHES.c.route == sa.bindparam("on_route"),
        PUSHES.c.urgency == sa.bindparam("of_urgency"),
        PUSHES.c.due_at <= _AT,
        PUSHES.c.expires_at > _AT,
        sa.or_(
            PUSHES.c.campaign_id.is_(None),
            sa.exists().where(
                _CAMPAIGNS.c.id == PUSHES.c.campaign_id, _CAMPAIGNS.c.state == sa.text("'running'")
            ),
        ),
        sa.or_(
            PUSHES.c.send_id.is_(None),
            sa.exists().where(SENDS.c.id == PUSHES.c.send_id, SENDS.c.cancelled_at.is_(None)),
        ),
    )
    .order_by(PUSHES.c.due_at, PUSHES.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(skip_locked=True, of=PUSHES)
    .cte("due")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
_CLAIM = (
    PUSHES.update()
    .where(PUSHES.c.id.in_(sa.select(_DUE.c.id)))
    .values(
        state=sa.text("'sending'"),
        attempts=PUSHES.c.attempts + 1,
        fence=PUSHES.c.fence + 1,
        started_at=_AT,
        first_tried_at=sa.func.coalesce(PUSHES.c.first_tried_at, _AT),
        leased_until=sa.bindparam("until", type_=PUSHES.c.leased_until.type),
    )
    .returning(
        *HELD,
        PUSHES.c.user_id,
        PUSHES.c.notification_id,
        PUSHES.c.category,
        PUSHES.c.exact,
        PUSHES.c.content,
        PUSHES.c.collapse_key,
        PUSHES.c.due_at,
        PUSHES.c.created_at,
        PUSHES.c.send_id,
        PUSHES.c.topic_kind,
        PUSHES.c.topic,
        PUSHES.c.reason,
    )
)

_END = (
    PUSHES.update()
    .where(PUSHES.c.id == sa.bindparam("push_id"))
    .values(
        state=sa.bindparam("new_state"),
        reason=sa.bindparam("new_reason"),
        settled_at=_AT,
        leased_until=None,
        attempts=PUSHES.c.attempts - 1,
    )
)
