"""Appending to conversations' logs on SQLite: a few statements for a whole batch.

The transaction began with `BEGIN IMMEDIATE`: nobody else writes until it ends, so what is read
first still holds when it is written. Statements go to the driver as they are, since every trip
to its thread counts.
"""

import json
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import instant, microseconds
from kernel.adapters.driver import fetch, run_many
from messaging.adapters.fates import Fate, Placed, not_a_member, not_found, placed, repeated
from messaging.types import Draft

_LOOK = """
SELECT conversations.top, members.user_id AS member,
       messages.id, messages."offset", messages.body, messages.sent_at
FROM json_each(?) AS draft
LEFT JOIN conversations
  ON conversations.id = json_extract(draft.value, '$[0]')
LEFT JOIN members
  ON members.conversation_id = json_extract(draft.value, '$[0]')
 AND members.user_id = json_extract(draft.value, '$[1]')
LEFT JOIN messages
  ON messages.conversation_id = json_extract(draft.value, '$[0]')
 AND messages.sender_id = json_extract(draft.value, '$[1]')
 AND messages.idempotency_key = json_extract(draft.value, '$[2]')
ORDER BY draft.key
"""

_INSERT = """
INSERT INTO messages (id, conversation_id, "offset", sender_id, body, idempotency_key, sent_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_GROW = "UPDATE conversations SET top = ? WHERE id = ?"


async def append(connection: AsyncConnection, drafts: Sequence[Draft]) -> list[Fate]:
    """Store drafts of different keys; what became of each, in order."""
    keys = [(d.conversation_id.hex, d.sender_id, d.idempotency_key) for d in drafts]
    rows = await fetch(connection, _LOOK, (json.dumps(keys),))
    fates: list[Fate] = []
    tops: dict[UUID, int] = {}
    for draft, (top, member, first_id, offset, body, sent_at) in zip(drafts, rows, strict=True):
        if first_id is not None:
            fates.append(repeated(draft, UUID(first_id), offset, body, instant(sent_at)))
        elif member is not None:
            tops[draft.conversation_id] = tops.get(draft.conversation_id, top) + 1
            fates.append(placed(draft, offset=tops[draft.conversation_id]))
        else:
            fates.append(not_found() if top is None else not_a_member())
    new = [fate.message for fate in fates if isinstance(fate, Placed) and fate.is_new]
    if new:
        messages = [
            (
                message.id.hex,
                message.conversation_id.hex,
                message.offset,
                message.sender_id,
                message.body.decode(),
                message.idempotency_key,
                microseconds(message.sent_at),
            )
            for message in new
        ]
        await run_many(connection, _INSERT, messages)
        grown = [(top, conversation_id.hex) for conversation_id, top in tops.items()]
        await run_many(connection, _GROW, grown)
    return fates
