"""Pages of a conversation's log, from rows to what is published without any object in between."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.driver import fetch
from messaging.ports import MessagePage
from messaging.publications import told

# One statement, so that top and messages are of the same moment. Ids and instants are spelt as
# in what is published, which costs the database less than us.
_SQLITE = """
SELECT conversations.top, page."offset",
       substr(page.id, 1, 8) || '-' || substr(page.id, 9, 4) || '-' || substr(page.id, 13, 4)
       || '-' || substr(page.id, 17, 4) || '-' || substr(page.id, 21),
       page.sender_id, page.body, page.idempotency_key,
       strftime('%Y-%m-%dT%H:%M:%S', page.sent_at / 1000000, 'unixepoch')
       || CASE WHEN page.sent_at % 1000000 THEN printf('.%06dZ', page.sent_at % 1000000)
               ELSE 'Z' END
FROM conversations LEFT JOIN (
    SELECT * FROM messages
    WHERE conversation_id = ?1 AND "offset" {than} ?2 ORDER BY "offset" {order} LIMIT ?3
) AS page
WHERE conversations.id = ?1
ORDER BY page."offset" {order}
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
_STATEMENTS: Mapping[tuple[str, bool], str] = {
    ("sqlite", False): _SQLITE.format(**_AFTER),
    ("sqlite", True): _SQLITE.format(**_BEFORE),
    ("postgresql", False): _POSTGRES.format(**_AFTER),
    ("postgresql", True): _POSTGRES.format(**_BEFORE),
}


async def page(
    connection: AsyncConnection, conversation_id: UUID, *, beyond: int, limit: int, backwards: bool
) -> MessagePage | None:
    """Up to `limit` messages after an offset, or before it and newest first."""
    dialect = connection.dialect.name
    key = conversation_id.hex if dialect == "sqlite" else conversation_id
    rows = await fetch(connection, _STATEMENTS[dialect, backwards], (key, beyond, limit))
    if not rows:
        return None
    if rows[0][1] is None:
        return MessagePage(rows[0][0], ())
    return MessagePage(rows[0][0], _publications(str(conversation_id), rows))


def _publications(conversation: str, rows: Sequence[Sequence[Any]]) -> list[tuple[int, bytes]]:
    return [
        (offset, told(id_, conversation, sender, body.encode(), key, sent_at))
        for _, offset, id_, sender, body, key, sent_at in rows
    ]
