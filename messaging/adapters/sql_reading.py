"""How far members have read, and how much they have not, in SQL."""

from collections.abc import Callable, Collection, Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.adapters.sql_outbox import write_entries
from kernel.clock import Clock
from kernel.ids import UserId
from kernel.outbox import Entry
from messaging.adapters.chunks import chunks
from messaging.adapters.tables import ConversationRow, MemberRow, MessageRow

_conversations = table_of(ConversationRow)
_members = table_of(MemberRow)
_messages = table_of(MessageRow)
_c, _m, _x = _conversations.c, _members.c, _messages.c

COUNTED = 1000
"""Messages of one conversation that are counted, at most: nobody reads a larger number."""


class SqlReading:
    """Fulfils `ReadMarks`, and counts what is unread for whoever shows it."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def read(
        self,
        conversation_id: UUID,
        user_id: UserId,
        *,
        offset: int,
        then: Callable[[int], Sequence[Entry]],
    ) -> int | None:
        mine = sa.and_(_m.conversation_id == conversation_id, _m.user_id == user_id)
        top = sa.select(_c.top).where(_c.id == _m.conversation_id).scalar_subquery()
        asked = sa.select(_m.read_mark, top.label("top")).where(mine).with_for_update(of=_members)
        async with self._database.transaction() as connection:
            row = (await connection.execute(asked)).one_or_none()
            if row is None:
                return None
            before = 0 if row.read_mark is None else int(row.read_mark)
            mark: int = max(before, min(offset, row.top))
            if row.read_mark is None or mark > before:
                await connection.execute(_members.update().where(mine).values(read_mark=mark))
                await write_entries(connection, then(mark), self._clock.now())
            return mark

    async def unread(self, user_ids: Collection[UserId]) -> Mapping[UserId, int]:
        """How many messages of others each user has not read, where they muted nothing.

        Who has none is not in it.
        """
        found: dict[UserId, int] = {}
        async with self._database.reading() as connection:
            for some in chunks(sorted(user_ids)):
                counting = (
                    sa.select(_m.user_id, sa.func.count().label("unread"))
                    .join(_conversations, _c.id == _m.conversation_id)
                    .join(
                        _messages,
                        sa.and_(
                            _x.conversation_id == _m.conversation_id,
                            _x.offset > _m.read_mark,
                            _x.offset > _c.top - COUNTED,
                            _x.sender_id != _m.user_id,
                        ),
                    )
                    .where(_m.user_id.in_(some), sa.not_(_m.muted), _c.top > _m.read_mark)
                    .group_by(_m.user_id)
                )
                for row in await connection.execute(counting):
                    found[UserId(row.user_id)] = row.unread
        return found
