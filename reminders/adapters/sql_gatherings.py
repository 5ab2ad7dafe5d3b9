"""Who is in events, for who asks whether they may listen."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.ids import UserId
from reminders.adapters.mapping import MEMBERS

_AT_ONCE = 500


class SqlGatherings:
    """One adapter for both databases; it fulfils a port of messaging."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def present(
        self, pairs: Collection[tuple[UUID, UserId]]
    ) -> Collection[tuple[UUID, UserId]]:
        key = sa.tuple_(MEMBERS.c.event_id, MEMBERS.c.user_id)
        query = sa.select(MEMBERS.c.event_id, MEMBERS.c.user_id).where(key.in_(sorted(pairs)))
        async with self._database.reading() as connection:
            return {(row[0], UserId(row[1])) for row in await connection.execute(query)}

    async def users_in(self, event_ids: Sequence[UUID]) -> Mapping[UUID, Collection[UserId]]:
        found: dict[UUID, set[UserId]] = defaultdict(set)
        async with self._database.reading() as connection:
            for start in range(0, len(event_ids), _AT_ONCE):
                some = event_ids[start : start + _AT_ONCE]
                query = sa.select(MEMBERS.c.event_id, MEMBERS.c.user_id).where(
                    MEMBERS.c.event_id.in_(some)
                )
                for row in await connection.execute(query):
                    found[row[0]].add(UserId(row[1]))
        return found
