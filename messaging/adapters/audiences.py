"""Who wants to be told of conversations' messages: one row for each conversation.

A conversation may have thousands of members and is asked about with nearly every message, so
their ids come as one value, and only what is left of them in the end is looked at one by one.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.ids import UserId
from messaging.types import Audience

_SQLITE = sa.text("""
SELECT id, title,
       (SELECT json_group_array(user_id) FROM members
        WHERE members.conversation_id = conversations.id AND NOT muted) AS user_ids
FROM conversations
WHERE id IN (SELECT value FROM json_each(:ids))
""").columns(id=sa.Uuid())

_POSTGRES = """
SELECT id, title,
       ARRAY(SELECT user_id FROM members
             WHERE members.conversation_id = conversations.id AND NOT muted) AS user_ids
FROM conversations
WHERE id = ANY ($1::uuid[])
"""

_user_ids = msgspec.json.Decoder(list[UserId])


async def _on_sqlite(connection: AsyncConnection, ids: Sequence[UUID]) -> list[Audience]:
    rows = await connection.execute(_SQLITE, {"ids": json.dumps([each.hex for each in ids])})
    return [_audience(row.id, row.title, _user_ids.decode(row.user_ids)) for row in rows]


async def _on_postgres(connection: AsyncConnection, ids: Sequence[UUID]) -> list[Audience]:
    rows = await connection.exec_driver_sql(_POSTGRES, (list(ids),))
    return [_audience(row.id, row.title, row.user_ids) for row in rows]


def _audience(conversation_id: UUID, title: str, user_ids: Iterable[UserId]) -> Audience:
    # Sorted here, since databases do not agree on the order of texts.
    return Audience(conversation_id, title, tuple(sorted(user_ids)))


AUDIENCES: Mapping[
    str, Callable[[AsyncConnection, Sequence[UUID]], Awaitable[Sequence[Audience]]]
] = {"sqlite": _on_sqlite, "postgresql": _on_postgres}
"""By the name of the dialect: the audiences of those of the conversations that exist."""
