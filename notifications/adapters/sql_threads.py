"""What devices were told of threads, in a table beside their pushes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from kernel.notices import Withdrawal
from notifications.adapters.batches import insert_new
from notifications.adapters.push_rows import PUSHES, write_plan
from notifications.adapters.sql_devices import DEVICES, device_of
from notifications.adapters.thread_tables import ToldRow
from notifications.coalescing.pace import Told, following
from notifications.coalescing.ports import Dismiss
from notifications.pushes import Notification, Push, PushState

TOLD = table_of(ToldRow)

COALESCED = "coalesced"
"""The reason of a push whose place a later one of its thread took before it went out."""

READ = "read"
"""The reason of a push about what its user had read before it went out."""

_TOLD = UUID("5b1f4c58-3a50-5f0e-9f0d-6d4f7a4fd4a5")


class SqlThreads:
    """Fulfils `ThreadStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def withdraw(
        self, withdrawals: Sequence[Withdrawal], *, now: datetime, dismiss: Dismiss
    ) -> int:
        wanted = {(each.user_id, each.thread): each for each in withdrawals}
        async with self._database.transaction() as connection:
            users = sorted({each.user_id for each in withdrawals})
            locked = (
                sa.select(TOLD)
                .where(among(connection, TOLD.c.user_id, users))
                .order_by(TOLD.c.id)
                .with_for_update()
            )
            read = [
                row
                for row in await connection.execute(locked)
                if (asked := wanted.get((UserId(row.user_id), row.thread))) is not None
                and row.place <= asked.place
            ]
            if not read:
                return 0
            unsent = await _unsent(connection, [row.push_id for row in read])
            await _suppress(connection, sorted(unsent), READ, now)
            waiting = {each for each, row in unsent.items() if not row.ambiguous}
            await connection.execute(
                TOLD.delete().where(among(connection, TOLD.c.id, [row.id for row in read]))
            )
            shown: dict[tuple[UserId, str], list[UUID]] = defaultdict(list)
            for row in read:
                asked = wanted[UserId(row.user_id), row.thread]
                if (row.shown or row.push_id not in waiting) and row.device_id != asked.device_id:
                    shown[asked.user_id, asked.thread].append(row.device_id)
            return await _dismiss(connection, wanted, shown, dismiss)

    async def busy(self, user_id: UserId, thread: str) -> Mapping[UUID, datetime]:
        last = sa.select(TOLD.c.device_id, TOLD.c.due_at).where(
            TOLD.c.user_id == user_id, TOLD.c.thread == thread, TOLD.c.notices > 0
        )
        async with self._database.reading() as connection:
            return {row.device_id: row.due_at for row in await connection.execute(last)}


async def paced(connection: AsyncConnection, pushes: Sequence[Push]) -> Sequence[Push]:
    """The pushes as they are to be written: some later, and for those whose place they take.

    Those that wait already and are replaced are settled in the transaction of `connection`.
    """
    busy = [each for each in pushes if each.pacing is not None and not each.suppressed]
    if not busy:
        return pushes
    now = busy[0].created_at
    told = await _told(connection, busy, now)
    unsent = await _unsent(connection, [each.push_id for each in told.values() if each])
    waiting = {each for each, row in unsent.items() if not row.ambiguous}
    written = {each.id: each for each in pushes}
    replaced: list[UUID] = []
    for push in sorted(busy, key=_place):
        assert push.pacing is not None
        key, pacing = _key(push), push.pacing
        last = told[key]
        takes_place = last is not None and last.push_id in waiting
        if last is not None and takes_place and last.push_id in unsent:
            # Its provider may want to be left alone, or its user may be told earlier by now.
            last = replace(last, due_at=unsent[last.push_id].due_at)
        latest = told[key] = following(
            last,
            is_waiting=takes_place,
            push_id=push.id,
            place=pacing.place,
            words=pacing.words,
            now=now,
            not_before=push.due_at,
            interval=pacing.interval,
        )
        if takes_place and last is not None:
            if last.push_id in written:
                written[last.push_id] = replace(written[last.push_id], suppressed=COALESCED)
            else:
                replaced.append(last.push_id)
        waiting.add(push.id)
        # What is alone in its own words is worded already.
        alone = latest.count == 1 and latest.words == pacing.words
        content = push.content if alone else pacing.content(latest.count, latest.words)
        written[push.id] = replace(push, due_at=latest.due_at, content=content)
    await _suppress(connection, sorted(replaced), COALESCED, now)
    owners = {_key(each): each.user_id for each in busy}
    rows = [_values(key, owners[key], last) for key, last in sorted(told.items()) if last]
    await _REMEMBER[connection.dialect.name](connection, rows)
    return list(written.values())


async def _told(
    connection: AsyncConnection, pushes: Sequence[Push], now: datetime
) -> dict[UUID, Told | None]:
    """What each device was last told of each thread, locked; nothing where it is new."""
    fresh = {_key(each): each for each in pushes}
    await insert_new(connection, TOLD, [_nothing(key, fresh[key], now) for key in sorted(fresh)])
    locked = (
        sa.select(TOLD)
        .where(among(connection, TOLD.c.id, sorted(fresh)))
        .order_by(TOLD.c.id)
        .with_for_update()
    )
    found: dict[UUID, Told | None] = {}
    for row in await connection.execute(locked):
        # A phone that changed hands begins anew.
        known = row.notices > 0 and row.user_id == fresh[row.id].user_id
        last = Told(
            row.push_id, row.due_at, row.place, row.notices, row.shown, row.words, row.before_id
        )
        found[row.id] = last if known else None
    return {key: found.get(key) for key in fresh}


async def _unsent(connection: AsyncConnection, push_ids: Sequence[UUID]) -> Mapping[UUID, Any]:
    """Those of the pushes that wait to be sent, for the first time or again, locked.

    One that is `ambiguous` may be on its device all the same.
    """
    if not push_ids:
        return {}
    locked = (
        sa.select(PUSHES.c.id, PUSHES.c.due_at, PUSHES.c.ambiguous)
        .where(
            among(connection, PUSHES.c.id, list(push_ids)),
            PUSHES.c.state.in_([PushState.QUEUED, PushState.RETRY]),
        )
        .order_by(PUSHES.c.id)
        .with_for_update()
    )
    return {row.id: row for row in await connection.execute(locked)}


# One that may be on a device already must not be called unsent.
_UNTOLD = sa.case(
    (PUSHES.c.ambiguous > 0, PushState.AMBIGUOUS.value), else_=PushState.SUPPRESSED.value
)


async def _suppress(
    connection: AsyncConnection, push_ids: Sequence[UUID], reason: str, now: datetime
) -> None:
    if push_ids:
        await connection.execute(
            PUSHES.update()
            .where(among(connection, PUSHES.c.id, list(push_ids)))
            .values(state=_UNTOLD, reason=reason, settled_at=now)
        )


async def _dismiss(
    connection: AsyncConnection,
    wanted: Mapping[tuple[UserId, str], Withdrawal],
    shown: Mapping[tuple[UserId, str], Sequence[UUID]],
    dismiss: Dismiss,
) -> int:
    device_ids = [each for some in shown.values() for each in some]
    if not device_ids:
        return 0
    found = sa.select(DEVICES).where(among(connection, DEVICES.c.id, device_ids))
    devices = {row.id: device_of(row) for row in await connection.execute(found)}
    notifications: list[Notification] = []
    pushes: list[Push] = []
    for key, some in shown.items():
        reached = [
            devices[each] for each in some if each in devices and devices[each].user_id == key[0]
        ]
        notification, planned = dismiss(wanted[key], reached)
        if planned:
            notifications.append(notification)
            pushes += planned
    return await write_plan(connection, notifications, pushes, whole=True)


def _key(push: Push) -> UUID:
    assert push.pacing is not None
    return uuid5(_TOLD, f"{push.device_id}\x1f{push.pacing.thread}")


def _place(push: Push) -> int:
    assert push.pacing is not None
    return push.pacing.place


def _nothing(key: UUID, push: Push, now: datetime) -> Mapping[str, Any]:
    assert push.pacing is not None
    return {
        "id": key,
        "device_id": push.device_id,
        "user_id": push.user_id,
        "thread": push.pacing.thread,
        "push_id": push.id,
        "due_at": now,
        "place": 0,
        "notices": 0,
        "shown": False,
        "words": "",
    }


def _values(key: UUID, user_id: UserId, told: Told) -> Mapping[str, Any]:
    return {
        "id": key,
        "user_id": user_id,
        "push_id": told.push_id,
        "due_at": told.due_at,
        "place": told.place,
        "notices": told.count,
        "shown": told.shown,
        "words": told.words,
        "before_id": told.before,
    }


_REMEMBERED = ("user_id", "push_id", "due_at", "place", "notices", "shown", "words", "before_id")


async def _remember_on_sqlite(
    connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]
) -> None:
    statement = (
        TOLD.update()
        .where(TOLD.c.id == sa.bindparam("new_id"))
        .values(
            {name: sa.bindparam(f"new_{name}", type_=TOLD.c[name].type) for name in _REMEMBERED}
        )
    )
    await connection.execute(
        statement, [{f"new_{name}": value for name, value in row.items()} for row in rows]
    )


async def _remember_on_postgresql(
    connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]
) -> None:
    """One array per column: a conversation may have hundreds of members."""
    columns = [TOLD.c[name] for name in ("id", *_REMEMBERED)]
    arrays = [
        sa.bindparam(
            f"{column.name}_of_rows",
            [row[column.name] for row in rows],
            type_=postgresql.ARRAY(column.type),
        )
        for column in columns
    ]
    names = [column.name for column in columns]
    given = sa.func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    await connection.execute(
        TOLD.update()
        .where(TOLD.c.id == given.c.id)
        .values({name: given.c[name] for name in _REMEMBERED})
    )


_REMEMBER = {"sqlite": _remember_on_sqlite, "postgresql": _remember_on_postgresql}
