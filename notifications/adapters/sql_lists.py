"""Lists of users in tables."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from notifications.adapters.send_tables import ListedRow, ListRow
from notifications.adapters.sql_audit import write_audit
from notifications.audit.types import Deed

_LISTS = table_of(ListRow)
_LISTED = table_of(ListedRow)

_AT_ONCE = 5_000


class SqlLists:
    """A list's own row is locked while its users change, so that it is one list at any time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(
        self, list_id: str, user_ids: Sequence[UserId], *, now: datetime, deed: Deed
    ) -> int:
        creating = self._database.insert_new(_LISTS, on=["id"]).values(
            id=list_id, created_at=now, changed_at=now
        )
        async with self._database.transaction() as connection:
            await connection.execute(creating)
            await _touch(connection, list_id, now)
            # Who stays keeps the instant of being added, so that a send under way finds them.
            kept = set(user_ids)
            listed = sa.select(_LISTED.c.user_id).where(_LISTED.c.list_id == list_id)
            gone = [
                each for each in (await connection.execute(listed)).scalars() if each not in kept
            ]
            await _remove(connection, list_id, gone)
            await self._add(connection, list_id, user_ids, now)
            await write_audit(connection, [deed], now)
            return await _count(connection, list_id)

    async def change(
        self,
        list_id: str,
        *,
        add: Sequence[UserId] = (),
        remove: Sequence[UserId] = (),
        now: datetime,
        deed: Deed,
    ) -> int | None:
        async with self._database.transaction() as connection:
            if not await _touch(connection, list_id, now):
                return None
            await self._add(connection, list_id, add, now)
            await _remove(connection, list_id, remove)
            await write_audit(connection, [deed], now)
            return await _count(connection, list_id)

    async def delete(self, list_id: str, *, now: datetime, deed: Deed) -> bool:
        async with self._database.transaction() as connection:
            deleting = _LISTS.delete().where(_LISTS.c.id == list_id)
            if (await connection.execute(deleting)).rowcount == 0:
                return False
            await write_audit(connection, [deed], now)
            return True

    async def size(self, list_id: str) -> tuple[int, datetime] | None:
        found = sa.select(_LISTS.c.changed_at).where(_LISTS.c.id == list_id)
        async with self._database.reading() as connection:
            changed_at = (await connection.execute(found)).scalar_one_or_none()
            if changed_at is None:
                return None
            return await _count(connection, list_id), changed_at

    async def all(self) -> Sequence[tuple[str, datetime]]:
        named = sa.select(_LISTS.c.id, _LISTS.c.changed_at).order_by(_LISTS.c.id)
        async with self._database.reading() as connection:
            return [(row.id, row.changed_at) for row in await connection.execute(named)]

    async def users(self, list_id: str, *, after: str, limit: int) -> Sequence[UserId]:
        some = (
            sa.select(_LISTED.c.user_id)
            .where(_LISTED.c.list_id == list_id, _LISTED.c.user_id > after)
            .order_by(_LISTED.c.user_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [UserId(each) for each in (await connection.execute(some)).scalars()]

    async def _add(
        self,
        connection: AsyncConnection,
        list_id: str,
        user_ids: Sequence[UserId],
        now: datetime,
    ) -> None:
        adding = self._database.insert_new(_LISTED, on=["list_id", "user_id"])
        for start in range(0, len(user_ids), _AT_ONCE):
            await connection.execute(
                adding,
                [
                    {"list_id": list_id, "user_id": user_id, "added_at": now}
                    for user_id in user_ids[start : start + _AT_ONCE]
                ],
            )


async def _touch(connection: AsyncConnection, list_id: str, now: datetime) -> bool:
    """Lock a list for this transaction and note its change; whether there is one."""
    changing = _LISTS.update().where(_LISTS.c.id == list_id).values(changed_at=now)
    return (await connection.execute(changing)).rowcount == 1


async def _remove(connection: AsyncConnection, list_id: str, user_ids: Sequence[str]) -> None:
    for start in range(0, len(user_ids), _AT_ONCE):
        some = user_ids[start : start + _AT_ONCE]
        await connection.execute(
            _LISTED.delete().where(
                _LISTED.c.list_id == list_id, among(connection, _LISTED.c.user_id, some)
            )
        )


async def _count(connection: AsyncConnection, list_id: str) -> int:
    counting = sa.select(sa.func.count()).where(_LISTED.c.list_id == list_id)
    return int((await connection.execute(counting)).scalar_one())
