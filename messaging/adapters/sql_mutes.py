"""Who has muted which conversation, for many at once: one seek in the key for each."""

import json
from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.ids import UserId

_SQLITE = sa.text("""
SELECT asked.key AS place
FROM json_each(:pairs) AS asked CROSS JOIN members
  ON members.conversation_id = json_extract(asked.value, '$[0]')
 AND members.user_id = json_extract(asked.value, '$[1]')
WHERE members.muted
""")

_POSTGRES = """
SELECT asked.number - 1 AS place
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS asked (conversation_id, user_id, number)
JOIN members USING (conversation_id, user_id)
WHERE members.muted
"""

Pair = tuple[str, UserId]


class SqlMutes:
    """Answers for threads that are conversations; nobody can have muted another thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def muted(self, pairs: Collection[Pair]) -> Collection[Pair]:
        """Those of the threads and users where the user has muted the thread."""
        known = [(pair, found) for pair in pairs if (found := _conversation(pair[0])) is not None]
        if not known:
            return ()
        ids, users = [each for _, each in known], [pair[1] for pair, _ in known]
        async with self._database.reading() as connection:
            if self._database.is_sqlite:
                keys = json.dumps([(each.hex, user) for each, user in zip(ids, users, strict=True)])
                rows: Sequence[sa.Row[tuple[int]]] = list(
                    await connection.execute(_SQLITE, {"pairs": keys})
                )
            else:
                rows = list(await connection.exec_driver_sql(_POSTGRES, (ids, users)))
        return frozenset(known[row.place][0] for row in rows)


def _conversation(thread: str) -> UUID | None:
    try:
        return UUID(thread)
    except ValueError:
        return None
