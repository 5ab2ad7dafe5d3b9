"""Which users are in which conversations, for many pairs at once: one seek in the key for each.

A list of pairs in `IN` makes SQLite read the whole table; joined from the other side, neither
database does.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.driver import fetch
from messaging.ports import Membership

_SQLITE = sa.text("""
SELECT asked.key
FROM json_each(:pairs) AS asked CROSS JOIN members
  ON members.conversation_id = json_extract(asked.value, '$[0]')
 AND members.user_id = json_extract(asked.value, '$[1]')
""")

_POSTGRES = """
SELECT asked.number
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS asked (conversation_id, user_id, number)
JOIN members USING (conversation_id, user_id)
"""


async def _on_sqlite(
    connection: AsyncConnection, pairs: Sequence[Membership]
) -> Sequence[Membership]:
    keys = [(conversation_id.hex, user_id) for conversation_id, user_id in pairs]
    rows = await connection.execute(_SQLITE, {"pairs": json.dumps(keys)})
    return [pairs[row.key] for row in rows]


async def _on_postgres(
    connection: AsyncConnection, pairs: Sequence[Membership]
) -> Sequence[Membership]:
    columns = ([each for each, _ in pairs], [each for _, each in pairs])
    return [pairs[number - 1] for (number,) in await fetch(connection, _POSTGRES, columns)]


MEMBERSHIPS: Mapping[
    str, Callable[[AsyncConnection, Sequence[Membership]], Awaitable[Sequence[Membership]]]
] = {"sqlite": _on_sqlite, "postgresql": _on_postgres}
"""By the name of the dialect: those of the pairs that are so."""
