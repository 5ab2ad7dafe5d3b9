"""Appending to conversations' logs on SQLite: a few statements for a whole batch.

The transaction began with `BEGIN IMMEDIATE`: nobody else writes until it ends, so what is read
first still holds when it is written. Statements go to the driver as they are, since every trip
to its thread counts.
"""

import json
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Instant, microseconds
from messaging.adapters.fates import Fate, Placed, not_a_member, not_found, placed, repeated
from messaging.types import Draft

_LOOK = sa.text("""
SELECT conversations.top, members.user_id AS member,
       messages.id, messages."offset", messages.body, messages.sent_at
FROM json_each(:keys) AS draft
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
""").columns(id=sa.Uuid(), sent_at=Instant())

_INSERT = """
INSERT INTO messages (id, conversation_id, "offset", sender_id, body, idempotency_key, sent_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_GROW = "UPDATE conversations SET top = ? WHERE id = ?"


async def append(connection: AsyncConnection, drafts: Sequence[Draft]) -> list[Fate]:
    """Store drafts of different keys; what became of each, in order."""
    keys = [(d.conversation_id.hex, d.sender_id, d.idempotency_key) for d in drafts]
    rows = await connection.execute(_LOOK, {"keys": json.dumps(keys)})
    fates: list[Fate] = []
    tops: dict[UUID, int] = {}
    for draft, row in zip(drafts, rows, strict=True):
        if row.id is not None:
            fates.append(repeated(draft, row.id, row.offset, row.body, row.sent_at))
        elif row.member is not None:
            offset = tops.get(draft.conversation_id, row.top) + 1
            tops[draft.conversation_id] = offset
            fates.append(placed(draft, offset=offset))
        else:
            fates.append(not_found() if row.top is None else not_a_member())
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
        await connection.exec_driver_sql(_INSERT, messages)
        grown = [(top, conversation_id.hex) for conversation_id, top in tops.items()]
        await connection.exec_driver_sql(_GROW, grown)
    return fates
