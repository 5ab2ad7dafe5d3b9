"""Pages of a conversation's log, from rows to what is published without any object in between."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from kernel.adapters.database import Database
from messaging.ports import MessagePage
from messaging.publications import told

# One statement, so that top and messages are of the same moment. Instants are spelt as in what
# is published, which costs the database less than us; so are ids where the database knows them.
_SQLITE = """
SELECT conversations.top, page."offset", page.id, page.sender_id, page.body, page.idempotency_key,
       strftime('%Y-%m-%dT%H:%M:%S', page.sent_at / 1000000, 'unixepoch')
       || CASE WHEN page.sent_at % 1000000 THEN printf('.%06dZ', page.sent_at % 1000000)
               ELSE 'Z' END
FROM conversations LEFT JOIN messages AS page
  ON page.conversation_id = conversations.id AND page."offset" {than} ?2
WHERE conversations.id = ?1
ORDER BY page."offset" {order} LIMIT max(1, ?3)
"""

_POSTGRES = """
SELECT conversations.top, page."offset", page.id::text, page.sender_id, page.body,
       page.idempotency_key,
       to_char(page.sent_at AT TIME ZONE 'UTC',
               CASE WHEN date_trunc('second', page.sent_at) = page.sent_at
                    THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"' ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END)
FROM conversations LEFT JOIN (
    SELECT * FROM messages
    WHERE conversation_id = $1 AND "offset" {than} $2 ORDER BY "offset" {order} LIMIT $3
) AS page ON true
WHERE conversations.id = $1
ORDER BY page."offset" {order}
"""

_AFTER = {"than": ">", "order": "ASC"}
_BEFORE = {"than": "<", "order": "DESC"}
_ON_SQLITE = (_SQLITE.format(**_AFTER), _SQLITE.format(**_BEFORE))
_ON_POSTGRES = (_POSTGRES.format(**_AFTER), _POSTGRES.format(**_BEFORE))


async def page(
    database: Database, conversation_id: UUID, *, beyond: int, limit: int, backwards: bool
) -> MessagePage | None:
    """Up to `limit` messages after an offset, or before it and newest first."""
    statements = _ON_SQLITE if database.is_sqlite else _ON_POSTGRES
    key = conversation_id.hex if database.is_sqlite else conversation_id
    spell: Callable[[str], str] = _dashed if database.is_sqlite else str
    rows = await database.fetch(statements[backwards], (key, beyond, limit))
    if not rows:
        return None
    if rows[0][1] is None or not limit:
        return MessagePage(rows[0][0], ())
    return MessagePage(rows[0][0], _publications(str(conversation_id), rows, spell))


def _publications(
    conversation: str, rows: Sequence[Sequence[Any]], spell: Callable[[str], str]
) -> list[tuple[int, bytes]]:
    return [
        (offset, told(spell(id_), conversation, sender, body, key, sent_at))
        for _, offset, id_, sender, body, key, sent_at in rows
    ]


def _dashed(id_: str) -> str:
    """A UUID from its hexadecimal digits, without making an object of it."""
    return f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}"
