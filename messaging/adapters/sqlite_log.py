"""Appending to conversations' logs on SQLite: a few statements for a whole batch.

Nobody else writes from the beginning of the transaction on, so what is read first still holds
when it is written. All of it is one trip to SQLite's thread.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kernel.adapters.database import instant, microseconds
from kernel.adapters.sql_outbox import insert_entries
from messaging.adapters.fates import Fate, Placed, not_a_member, not_found, placed, repeated
from messaging.ports import Consequences
from messaging.types import Draft, Message

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


def append(
    connection: sqlite3.Connection,
    drafts: Sequence[Draft],
    thens: Sequence[Consequences],
    now: datetime,
) -> list[Fate]:
    """Store drafts of different keys with what follows from each; what became of them, in order."""
    fates = _fates(connection, drafts)
    new = [
        (fate.message, then)
        for fate, then in zip(fates, thens, strict=True)
        if isinstance(fate, Placed) and fate.is_new
    ]
    if new:
        connection.executemany(_INSERT, [_row(message) for message, _ in new])
        tops = {message.conversation_id.hex: message.offset for message, _ in new}
        connection.executemany(_GROW, [(top, id_) for id_, top in tops.items()])
        entries = [entry for message, then in new for entry in then(message)]
        insert_entries(connection, entries, now)
    return fates


def _fates(connection: sqlite3.Connection, drafts: Sequence[Draft]) -> list[Fate]:
    keys = [(d.conversation_id.hex, d.sender_id, d.idempotency_key) for d in drafts]
    rows = connection.execute(_LOOK, (json.dumps(keys),)).fetchall()
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
    return fates


def _row(message: Message) -> tuple[object, ...]:
    return (
        message.id.hex,
        message.conversation_id.hex,
        message.offset,
        message.sender_id,
        message.body.decode(),
        message.idempotency_key,
        microseconds(message.sent_at),
    )
