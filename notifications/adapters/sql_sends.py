"""Sends in tables: submit, expand, cancel."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.adapters.sql_outbox import write_entries
from kernel.ids import UserId
from notifications.adapters.app_tables import AppRow
from notifications.adapters.batches import insert_new
from notifications.adapters.campaign_following import CANCELLED
from notifications.adapters.push_rows import NOTIFICATIONS, PUSHES, write_plan
from notifications.adapters.send_rows import SENDS, send_of, send_row
from notifications.adapters.send_tables import ListedRow
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.tables import UNSETTLED, DeviceRow, PushRequestRow
from notifications.audit.types import Deed
from notifications.pushes import PushState
from notifications.sends.drafting import entries_of
from notifications.sends.types import Draft, Send
from notifications.types import DEFAULT_APP

_APPS = table_of(AppRow)
_DEVICES = table_of(DeviceRow)
_LISTED = table_of(ListedRow)
_REQUESTS = table_of(PushRequestRow)

_STOPPABLE = (PushState.QUEUED, PushState.RETRY, PushState.HELD)


class SqlSends:
    """Any number of nodes may take the same request at once; one send comes of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def submit(self, drafts: Sequence[Draft], *, now: datetime) -> Sequence[bool]:
        by_key: dict[str, Draft] = {}
        for draft in drafts:
            # Of the same key twice in a batch, the first one counts.
            by_key.setdefault(_key(draft), draft)
        async with self._database.transaction() as connection:
            rows = [
                {"key": key, "digest": by_key[key].digest, "created_at": now}
                for key in sorted(by_key)
            ]
            unused = await insert_new(connection, _REQUESTS, rows)
            fresh = await _without_leftovers(connection, {key: by_key[key] for key in unused})
            kept = {key: by_key[key].digest for key in fresh}
            known = by_key.keys() - kept.keys()
            if known:
                asked = sa.select(_REQUESTS.c.key, _REQUESTS.c.digest).where(
                    among(connection, _REQUESTS.c.key, sorted(known))
                )
                kept |= {row.key: row.digest for row in await connection.execute(asked)}
            await _write(connection, [by_key[key] for key in sorted(fresh)], now)
        return [kept.get(_key(draft)) == draft.digest for draft in drafts]

    async def owners(self, device_ids: Sequence[UUID]) -> Mapping[UUID, UserId]:
        async with self._database.reading() as connection:
            found = sa.select(_DEVICES.c.id, _DEVICES.c.user_id).where(
                among(connection, _DEVICES.c.id, device_ids)
            )
            return {row.id: UserId(row.user_id) for row in await connection.execute(found)}

    async def has_app(self, app_id: str) -> bool:
        if app_id == DEFAULT_APP:
            return True
        async with self._database.reading() as connection:
            found = await connection.execute(sa.select(_APPS.c.id).where(_APPS.c.id == app_id))
            return found.one_or_none() is not None

    async def expand(self, *, now: datetime, limit: int) -> int:
        unplanned = (
            sa.select(SENDS)
            .where(SENDS.c.planned_at.is_(None))
            .order_by(SENDS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(unplanned)).one_or_none()
            if row is None:
                return 0
            send = send_of(row)
            users = await _listed(connection, send, after=row.cursor, limit=limit)
            entries = entries_of(send.notice, users, start=send.targeted)
            await write_entries(connection, list(entries), now)
            reached: dict[str, Any] = {"targeted": send.targeted + len(users)}
            if users:
                reached["cursor"] = users[-1]
            if len(users) < limit or send.expires_at <= now:
                reached["planned_at"] = now
            await connection.execute(SENDS.update().where(SENDS.c.id == send.id).values(reached))
            return max(1, len(users))

    async def cancel(self, send_id: UUID, *, now: datetime, deed: Deed) -> Send | None:
        found = sa.select(SENDS).where(SENDS.c.id == send_id).with_for_update()
        changing = (
            SENDS.update()
            .where(SENDS.c.id == send_id)
            .values(
                cancelled_at=now,
                planned_at=sa.func.coalesce(
                    SENDS.c.planned_at, sa.literal(now, SENDS.c.planned_at.type)
                ),
                following=True,
            )
            .returning(SENDS)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(found)).one_or_none()
            if row is not None and row.cancelled_at is None:
                row = (await connection.execute(changing)).one()
                await write_audit(connection, [deed], now)
        return None if row is None else send_of(row)

    async def stop(self, *, now: datetime, limit: int) -> int:
        followed = sa.select(SENDS.c.id).where(SENDS.c.following)
        some = (
            sa.select(PUSHES.c.id)
            .where(PUSHES.c.send_id.in_(followed), PUSHES.c.state.in_(_STOPPABLE))
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("some")
            .prefix_with("MATERIALIZED", dialect="postgresql")
        )
        # One that may be on a device already must not be called unsent.
        state = sa.case(
            (PUSHES.c.ambiguous > 0, PushState.AMBIGUOUS.value), else_=PushState.SUPPRESSED.value
        )
        stopping = (
            PUSHES.update()
            .where(PUSHES.c.id.in_(sa.select(some.c.id)))
            .values(state=state, reason=CANCELLED, settled_at=now)
            .returning(PUSHES.c.id)
        )
        # What is in the air may come back and wait for another attempt.
        unsettled = sa.exists().where(PUSHES.c.send_id == SENDS.c.id, sa.text(UNSETTLED))
        ended = SENDS.update().where(SENDS.c.following, ~unsettled).values(following=False)
        async with self._database.reading() as connection:
            if (await connection.execute(followed.limit(1))).one_or_none() is None:
                return 0
        async with self._database.transaction() as connection:
            stopped = len((await connection.execute(stopping)).all())
            if stopped < limit:
                await connection.execute(ended)
        return stopped

    async def prune(self, *, before: datetime, limit: int) -> int:
        kept = sa.exists().where(NOTIFICATIONS.c.send_id == SENDS.c.id)
        old = (
            sa.select(SENDS.c.id)
            .where(SENDS.c.created_at < before, SENDS.c.planned_at.is_not(None), ~kept)
            .order_by(SENDS.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            deleting = SENDS.delete().where(SENDS.c.id.in_(old))
            return (await connection.execute(deleting)).rowcount


def _key(draft: Draft) -> str:
    return f"send:{draft.send.key_id}:{draft.send.idempotency_key}"


async def _write(connection: AsyncConnection, drafts: Sequence[Draft], now: datetime) -> None:
    if not drafts:
        return
    await connection.execute(SENDS.insert(), [send_row(each) for each in drafts])
    await write_entries(connection, [entry for each in drafts for entry in each.entries], now)
    plans = [each.plan for each in drafts if each.plan is not None]
    if plans:
        notifications, pushes = zip(*plans, strict=True)
        await write_plan(connection, notifications, pushes, whole=True)
    await write_audit(connection, [each.deed for each in drafts], now)


async def _without_leftovers(
    connection: AsyncConnection, drafts: Mapping[str, Draft]
) -> Sequence[str]:
    """The keys of those drafts whose send is not there yet.

    A key may be forgotten a little before its send, whose notifications would then be taken
    for those of the new one. Until it is gone as well, the key means something else.
    """
    by_id = {draft.send.id: key for key, draft in drafts.items()}
    there = sa.select(SENDS.c.id).where(among(connection, SENDS.c.id, sorted(by_id)))
    leftover = [by_id[send_id] for send_id in (await connection.execute(there)).scalars()]
    if leftover:
        await connection.execute(
            _REQUESTS.delete().where(among(connection, _REQUESTS.c.key, leftover))
        )
    return [key for key in drafts if key not in leftover]


async def _listed(
    connection: AsyncConnection, send: Send, *, after: str, limit: int
) -> Sequence[UserId]:
    """The next users of a send's list, none of whom came after it."""
    users = (
        sa.select(_LISTED.c.user_id)
        .where(
            _LISTED.c.list_id == send.audience.list_id,
            _LISTED.c.user_id > after,
            _LISTED.c.added_at <= send.created_at,
        )
        .order_by(_LISTED.c.user_id)
        .limit(limit)
    )
    return [UserId(user_id) for user_id in (await connection.execute(users)).scalars()]
