"""Conversations and their members in SQL."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.adapters.sql_outbox import write_entries
from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.ids import UserId
from kernel.outbox import Entry
from kernel.paging import Page, cursor_of, parts_of
from messaging.adapters.audiences import AUDIENCES
from messaging.adapters.chunks import chunks
from messaging.adapters.memberships import memberships
from messaging.adapters.tables import ConversationRow, MemberRow
from messaging.errors import ConversationFull, LastOwner
from messaging.ports import Membership
from messaging.types import Audience, Conversation, ConversationKind, Member, Role

_conversations = table_of(ConversationRow)
_members = table_of(MemberRow)
_c = _conversations.c
_m = _members.c


class SqlConversations:
    """Fulfils `ConversationStore` and `Audiences`."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, conversation: Conversation, members: Sequence[Member]) -> Conversation:
        direct_key = None
        if conversation.kind is ConversationKind.DIRECT:
            # No user id holds white space.
            direct_key = " ".join(sorted(member.user_id for member in members))
        values = {
            "id": conversation.id,
            "kind": conversation.kind,
            "title": conversation.title,
            "direct_key": direct_key,
            "created_by": conversation.created_by,
            "created_at": conversation.created_at,
            "top": conversation.top,
        }
        async with self._database.transaction() as connection:
            insert = self._database.insert_new(_conversations, on=["direct_key"])
            inserted = await connection.execute(insert.values(values))
            if inserted.rowcount == 0:
                same = sa.select(_conversations).where(_c.direct_key == direct_key)
                return _conversation((await connection.execute(same)).one())
            if members:
                rows = [{**_values(each), "read_mark": conversation.top} for each in members]
                await connection.execute(sa.insert(_members), rows)
        return conversation

    async def get(self, conversation_id: UUID) -> Conversation | None:
        statement = sa.select(_conversations).where(_c.id == conversation_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _conversation(row)

    async def of_user(
        self, user_id: UserId, *, cursor: str | None, limit: int
    ) -> Page[Conversation]:
        # Our ids are in time order, so the members' index is the order of the list.
        statement = (
            sa.select(_conversations)
            .join(_members, _m.conversation_id == _c.id)
            .where(_m.user_id == user_id)
            .order_by(_m.conversation_id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            statement = statement.where(_m.conversation_id < _id_of(cursor))
        async with self._database.reading() as connection:
            rows = (await connection.execute(statement)).all()
        items = [_conversation(row) for row in rows[:limit]]
        return Page(items, cursor_of(str(items[-1].id)) if len(rows) > limit else None)

    async def member(self, conversation_id: UUID, user_id: UserId) -> Member | None:
        async with self._database.reading() as connection:
            return await _member_in(connection, conversation_id, user_id)

    async def memberships(self, pairs: Collection[Membership]) -> Collection[Membership]:
        return await memberships(self._database, list(pairs))

    async def members(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Member]]:
        found: dict[UUID, list[Member]] = defaultdict(list)
        async with self._database.reading() as connection:
            for some in chunks(conversation_ids):
                statement = (
                    sa.select(_members)
                    .where(_m.conversation_id.in_(some))
                    .order_by(_m.joined_at, _m.user_id)
                )
                for row in await connection.execute(statement):
                    found[row.conversation_id].append(_member(row))
        return dict(found)

    async def put_member(self, member: Member, *, limit: int | None = None) -> Member:
        there = member.conversation_id
        async with self._database.transaction() as connection:
            await _lock(connection, there)
            present = await _member_in(connection, there, member.user_id)
            if present is not None:
                return present
            if limit is not None:
                count = sa.select(sa.func.count()).where(_m.conversation_id == there)
                if (await connection.execute(count)).scalar_one() >= limit:
                    raise ConversationFull(
                        f"A conversation has at most {limit} members.", limit=limit
                    )
            # What was said before they came is not theirs to read.
            top = sa.select(_c.top).where(_c.id == there).scalar_subquery()
            await connection.execute(
                sa.insert(_members).values({**_values(member), "read_mark": top})
            )
        return member

    async def change_member(
        self,
        conversation_id: UUID,
        user_id: UserId,
        *,
        role: Role | None = None,
        muted: bool | None = None,
    ) -> Member | None:
        given = {"role": role, "muted": muted}
        changes = {name: value for name, value in given.items() if value is not None}
        async with self._database.transaction() as connection:
            if role is not None:
                await _lock(connection, conversation_id)
                if role is not Role.OWNER:
                    await _keep_an_owner(
                        connection, conversation_id, without=user_id, if_alone=True
                    )
            if changes:
                statement = sa.update(_members).where(
                    _m.conversation_id == conversation_id, _m.user_id == user_id
                )
                await connection.execute(statement.values(changes))
            return await _member_in(connection, conversation_id, user_id)

    async def remove_member(
        self, conversation_id: UUID, user_id: UserId, *, then: Sequence[Entry]
    ) -> bool:
        statement = sa.delete(_members).where(
            _m.conversation_id == conversation_id, _m.user_id == user_id
        )
        async with self._database.transaction() as connection:
            await _lock(connection, conversation_id)
            await _keep_an_owner(connection, conversation_id, without=user_id, if_alone=False)
            removed = await connection.execute(statement)
            if removed.rowcount:
                await write_entries(connection, then, self._clock.now())
        return bool(removed.rowcount)

    async def audiences(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Audience]:
        async with self._database.reading() as connection:
            found = await AUDIENCES[connection.dialect.name](connection, conversation_ids)
        return {audience.conversation_id: audience for audience in found}


async def _lock(connection: AsyncConnection, conversation_id: UUID) -> None:
    """Let nobody else change who is in the conversation, or send to it, until the end."""
    lock = sa.select(_c.id).where(_c.id == conversation_id).with_for_update(key_share=True)
    await connection.execute(lock)


async def _member_in(
    connection: AsyncConnection, conversation_id: UUID, user_id: UserId
) -> Member | None:
    statement = sa.select(_members).where(
        _m.conversation_id == conversation_id, _m.user_id == user_id
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _member(row)


async def _keep_an_owner(
    connection: AsyncConnection, conversation_id: UUID, *, without: UserId, if_alone: bool
) -> None:
    """Raise `LastOwner` if `without` is the only owner; `if_alone`, also of nobody else."""
    statement = sa.select(_m.user_id, _m.role).where(_m.conversation_id == conversation_id)
    rows = (await connection.execute(statement)).all()
    owners = {row.user_id for row in rows if row.role == Role.OWNER}
    if owners == {without} and (if_alone or len(rows) > 1):
        raise LastOwner("Make somebody else an owner first.")


def _id_of(cursor: str) -> UUID:
    (text,) = parts_of(cursor, 1)
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput("cursor", "is not one that this listing gave") from None


def _conversation(row: sa.Row[Any]) -> Conversation:
    return Conversation(
        id=row.id,
        kind=ConversationKind(row.kind),
        title=row.title,
        created_by=UserId(row.created_by),
        created_at=row.created_at,
        top=row.top,
    )


def _member(row: sa.Row[Any]) -> Member:
    return Member(
        conversation_id=row.conversation_id,
        user_id=UserId(row.user_id),
        role=Role(row.role),
        joined_at=row.joined_at,
        muted=row.muted,
    )


def _values(member: Member) -> dict[str, object]:
    return {
        "conversation_id": member.conversation_id,
        "user_id": member.user_id,
        "role": member.role,
        "joined_at": member.joined_at,
        "muted": member.muted,
    }
