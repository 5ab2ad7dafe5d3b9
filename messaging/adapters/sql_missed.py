"""What was sent to users since some instant, in SQL: looked up for those who vanished."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from messaging.adapters.chunks import chunks
from messaging.adapters.tables import ConversationRow, MemberRow, MessageRow
from messaging.conversations.bodies import MessageLimits, preview_of, text_of
from messaging.facts import MessageSent, Missed

_members = table_of(MemberRow)
_conversations = table_of(ConversationRow)
_messages = table_of(MessageRow)

LAST = 20
"""Messages of one conversation that are looked at: a device shows the newest anyway."""


class SqlMissed:
    """Fulfils `MissedMessages`."""

    def __init__(self, database: Database, *, limits: MessageLimits) -> None:
        self._database = database
        self._limits = limits

    async def missed(self, since: Mapping[UserId, datetime]) -> Sequence[Missed]:
        members = await self._members(list(since))
        if not members:
            return []
        recent = sa.and_(
            _messages.c.conversation_id == _conversations.c.id,
            _messages.c.offset > _conversations.c.top - LAST,
        )
        found: list[Missed] = []
        async with self._database.reading() as connection:
            for some in chunks(sorted(members)):
                statement = (
                    sa.select(_conversations.c.title, _messages)
                    .join(_messages, recent)
                    .where(
                        _conversations.c.id.in_(some),
                        _messages.c.sent_at >= min(since.values()),
                    )
                    .order_by(_messages.c.conversation_id, _messages.c.offset)
                )
                for row in await connection.execute(statement):
                    missing = [
                        user_id
                        for user_id in members[row.conversation_id]
                        if since[user_id] <= row.sent_at and user_id != row.sender_id
                    ]
                    if missing:
                        found.append(self._missed(row, missing))
        return found

    async def _members(self, user_ids: Sequence[UserId]) -> Mapping[UUID, Sequence[UserId]]:
        """Those of the users who want to be told of each of their conversations."""
        found: dict[UUID, list[UserId]] = defaultdict(list)
        async with self._database.reading() as connection:
            for some in chunks(user_ids):
                statement = sa.select(_members.c.conversation_id, _members.c.user_id).where(
                    _members.c.user_id.in_(some), sa.not_(_members.c.muted)
                )
                for row in await connection.execute(statement):
                    found[row.conversation_id].append(UserId(row.user_id))
        return found

    def _missed(self, row: sa.Row[Any], user_ids: Sequence[UserId]) -> Missed:
        fact = MessageSent(
            conversation_id=row.conversation_id,
            message_id=row.id,
            offset=row.offset,
            sender_id=UserId(row.sender_id),
            preview=preview_of(text_of(row.body.encode(), self._limits)),
        )
        return Missed(fact, row.sent_at, row.title, tuple(sorted(user_ids)))
