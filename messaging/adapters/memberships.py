"""Which users are in which conversations, for many pairs at once: one seek in the key for each.

A list of pairs in `IN` makes SQLite read the whole table; joined from the other side, neither
database does.
"""

import json
from collections.abc import Sequence

from kernel.adapters.database import Database
from messaging.ports import Membership

_SQLITE = """
SELECT asked.key + 1
FROM json_each(?) AS asked CROSS JOIN members
  ON members.conversation_id = json_extract(asked.value, '$[0]')
 AND members.user_id = json_extract(asked.value, '$[1]')
"""

_POSTGRES = """
SELECT asked.number
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS asked (conversation_id, user_id, number)
JOIN members USING (conversation_id, user_id)
"""


async def memberships(database: Database, pairs: Sequence[Membership]) -> Sequence[Membership]:
    """Those of the pairs that are so."""
    if database.is_sqlite:
        keys = [(conversation_id.hex, user_id) for conversation_id, user_id in pairs]
        rows = await database.fetch(_SQLITE, (json.dumps(keys),))
    else:
        columns = ([each for each, _ in pairs], [each for _, each in pairs])
        rows = await database.fetch(_POSTGRES, columns)
    return [pairs[number - 1] for (number,) in rows]
