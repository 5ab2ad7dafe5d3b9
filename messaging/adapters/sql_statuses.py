"""When users were last there, in SQL."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.adapters.sql_outbox import write_entries
from kernel.ids import UserId
from messaging.adapters.chunks import chunks
from messaging.adapters.standing_tables import SightingRow, SignOfLifeRow, UserStatusRow
from messaging.adapters.tables import MemberRow
from messaging.standing.ports import Obituary, Recorded

_statuses = table_of(UserStatusRow)
_sightings = table_of(SightingRow)
_signs = table_of(SignOfLifeRow)
_members = table_of(MemberRow)
_u, _s, _l, _m = _statuses.c, _sightings.c, _signs.c, _members.c


class SqlStatuses:
    """Fulfils `StatusStore`. Users are written in the order of their ids: nodes never lock up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = database.upsert_latest(_statuses, on=["user_id"], update=["last_seen_at"])
        self._was_active = database.upsert_latest(_statuses, on=["user_id"], update=["active_at"])
        self._sighted = database.insert_new(_sightings, on=["user_id", "node"])
        self._alive = database.upsert_latest(_signs, on=["node"], update=["seen_at"])

    async def arrived(self, node: str, at: Mapping[UserId, datetime]) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(self._alive, {"node": node, "seen_at": max(at.values())})
            rows = [{"user_id": each, "node": node, "since": at[each]} for each in sorted(at)]
            await connection.execute(self._sighted, rows)

    async def departed(self, node: str, at: Mapping[UserId, datetime]) -> None:
        async with self._database.transaction() as connection:
            await self._note(connection, at)
            for some in chunks(sorted(at)):
                await connection.execute(
                    sa.delete(_sightings).where(_s.node == node, _s.user_id.in_(some))
                )

    async def renew(self, node: str, at: datetime) -> bool:
        async with self._database.transaction() as connection:
            known = await connection.execute(
                sa.update(_signs).where(_l.node == node).values(seen_at=at)
            )
            if known.rowcount == 0:
                await connection.execute(self._alive, {"node": node, "seen_at": at})
        return known.rowcount == 1

    async def bury(self, *, before: datetime, limit: int, now: datetime, then: Obituary) -> int:
        dead = sa.select(_signs).where(_l.seen_at < before).order_by(_l.seen_at).limit(1)
        async with self._database.reading() as connection:
            if (await connection.execute(dead)).one_or_none() is None:
                return 0
        async with self._database.transaction() as connection:
            # Two nodes that bury the same one would only wait for each other.
            node = (await connection.execute(dead.with_for_update(skip_locked=True))).one_or_none()
            if node is None:
                return 0
            here = sa.select(_s.user_id).where(_s.node == node.node).order_by(_s.user_id)
            there = (await connection.execute(here.limit(limit))).scalars().all()
            await self._note(connection, dict.fromkeys(there, node.seen_at))
            await write_entries(connection, then(there, node.seen_at), now)
            if len(there) < limit:
                await connection.execute(sa.delete(_sightings).where(_s.node == node.node))
                await connection.execute(sa.delete(_signs).where(_l.node == node.node))
                return len(there) or 1
            await connection.execute(
                sa.delete(_sightings).where(_s.node == node.node, _s.user_id <= there[-1])
            )
        return len(there)

    async def active(self, at: Mapping[UserId, datetime]) -> None:
        async with self._database.transaction() as connection:
            rows = [{"user_id": each, "active_at": at[each]} for each in sorted(at)]
            await connection.execute(self._was_active, rows)

    async def recorded(self, user_ids: Collection[UserId]) -> Mapping[UserId, Recorded]:
        found: dict[UserId, Recorded] = {}
        async with self._database.reading() as connection:
            for some in chunks(list(dict.fromkeys(user_ids))):
                seen = (
                    sa.select(_s.user_id, sa.func.max(_l.seen_at).label("at"))
                    .join(_signs, _l.node == _s.node)
                    .where(_s.user_id.in_(some))
                    .group_by(_s.user_id)
                )
                for row in await connection.execute(seen):
                    found[row.user_id] = Recorded(last_seen_at=row.at)
                kept = sa.select(_statuses).where(_u.user_id.in_(some))
                for row in await connection.execute(kept):
                    there = found.get(row.user_id, Recorded())
                    latest = _later(there.last_seen_at, row.last_seen_at)
                    found[row.user_id] = Recorded(latest, row.active_at)
        return found

    async def forget(self, user_ids: Collection[UserId]) -> None:
        async with self._database.transaction() as connection:
            for some in chunks(sorted(user_ids)):
                await connection.execute(sa.delete(_statuses).where(_u.user_id.in_(some)))
                await connection.execute(sa.delete(_sightings).where(_s.user_id.in_(some)))

    async def _note(self, connection: AsyncConnection, at: Mapping[UserId, datetime]) -> None:
        rows: list[dict[str, Any]] = [
            {"user_id": each, "last_seen_at": at[each]} for each in sorted(at)
        ]
        if rows:
            await connection.execute(self._seen, rows)


class SqlAcquaintances:
    """Fulfils `Acquaintances`: members of the same conversations have to do with each other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: UserId, others: Collection[UserId]) -> Collection[UserId]:
        # A list that is looked into, not a join: the databases make it once and keep it at hand.
        mine = sa.select(_m.conversation_id).where(_m.user_id == user_id)
        found: set[UserId] = set()
        async with self._database.reading() as connection:
            for some in chunks(list(dict.fromkeys(others))):
                statement = (
                    sa.select(_m.user_id)
                    .distinct()
                    .where(_m.user_id.in_(some), _m.conversation_id.in_(mine))
                )
                found.update(map(UserId, (await connection.execute(statement)).scalars()))
        return found


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)
