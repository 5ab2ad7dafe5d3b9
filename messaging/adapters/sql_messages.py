"""The log of each conversation in SQL: appended to in batches, read without a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.adapters.installation import epoch_of
from kernel.adapters.sql_outbox import write_entries
from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.ids import UserId
from kernel.metrics import Metrics
from messaging.adapters import message_pages, postgres_log, sqlite_log
from messaging.adapters.chunks import chunks
from messaging.adapters.fates import Fate, Placed
from messaging.adapters.message_batches import Batches, BatchOptions, Overtaken
from messaging.adapters.tables import ConversationRow, MessageRow
from messaging.ports import Consequences, MessagePage
from messaging.types import Draft, Message

_messages = table_of(MessageRow)
_conversations = table_of(ConversationRow)


@dataclass(frozen=True, slots=True)
class Append:
    """A draft, and what follows once it is a message."""

    draft: Draft
    then: Consequences


class SqlMessages:
    """Fulfils `MessageStore`. Close it before the database: it finishes what it accepted."""

    def __init__(
        self, *, database: Database, clock: Clock, metrics: Metrics, options: BatchOptions
    ) -> None:
        self._database = database
        self._clock = clock
        self._batches = Batches(self._commit, key=_key, options=options, metrics=metrics)
        self._epoch: str | None = None

    async def append(self, draft: Draft, *, then: Consequences) -> Message:
        return await self._batches.append(Append(draft, then))

    async def since(self, conversation_id: UUID, *, offset: int, limit: int) -> Sequence[Message]:
        statement = (
            sa.select(_messages)
            .where(_messages.c.conversation_id == conversation_id, _messages.c.offset > offset)
            .order_by(_messages.c.offset)
            .limit(limit)
        )
        return await self._read(statement)

    async def before(
        self, conversation_id: UUID, *, offset: int | None, limit: int
    ) -> Sequence[Message]:
        statement = (
            sa.select(_messages)
            .where(_messages.c.conversation_id == conversation_id)
            .order_by(_messages.c.offset.desc())
            .limit(limit)
        )
        if offset is not None:
            statement = statement.where(_messages.c.offset < offset)
        return await self._read(statement)

    async def page(
        self, conversation_id: UUID, *, beyond: int, limit: int, backwards: bool = False
    ) -> MessagePage | None:
        return await message_pages.page(
            self._database, conversation_id, beyond=beyond, limit=limit, backwards=backwards
        )

    async def tops(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        tops: dict[UUID, int] = {}
        async with self._database.reading() as connection:
            for some in chunks(conversation_ids):
                statement = sa.select(_conversations.c.id, _conversations.c.top).where(
                    _conversations.c.id.in_(some)
                )
                rows = await connection.execute(statement)
                tops.update({row.id: row.top for row in rows})
        return tops

    async def epoch(self) -> str:
        if self._epoch is None:
            self._epoch = await epoch_of(self._database, self._clock)
        return self._epoch

    async def close(self) -> None:
        """Accept nothing more, and return when what was accepted is stored or refused."""
        await self._batches.close()

    async def _commit(self, appends: Sequence[Append]) -> Sequence[Message | Refusal]:
        drafts, thens = [each.draft for each in appends], [each.then for each in appends]
        now = self._clock.now()
        if self._database.is_sqlite:
            append = partial(sqlite_log.append, drafts=drafts, thens=thens, now=now)
            fates = await self._database.in_one_trip(append)
        else:
            fates = await self._append_on_postgres(drafts, thens, now)
        return [fate.message if isinstance(fate, Placed) else fate for fate in fates]

    async def _append_on_postgres(
        self, drafts: Sequence[Draft], thens: Sequence[Consequences], now: datetime
    ) -> list[Fate]:
        entries = postgres_log.entries_of(drafts, thens, now)
        try:
            if entries is not None:
                return await postgres_log.append_with_entries(self._database, drafts, entries, now)
            return await self._append_in_trips(drafts, thens, now)
        except sa.exc.DBAPIError as error:
            if postgres_log.is_overtaken(error):
                raise Overtaken("Others are writing to the same conversations.") from error
            raise

    async def _append_in_trips(
        self, drafts: Sequence[Draft], thens: Sequence[Consequences], now: datetime
    ) -> list[Fate]:
        async with self._database.transaction() as connection:
            fates = await postgres_log.append(connection, drafts)
            entries = [
                entry
                for then, fate in zip(thens, fates, strict=True)
                if isinstance(fate, Placed) and fate.is_new
                for entry in then(fate.message)
            ]
            await write_entries(connection, entries, now)
        return fates

    async def _read(self, statement: sa.Select[Any]) -> list[Message]:
        async with self._database.reading() as connection:
            return [_message(row) for row in await connection.execute(statement)]


def _key(append: Append) -> tuple[UUID, UserId, str]:
    draft = append.draft
    return draft.conversation_id, draft.sender_id, draft.idempotency_key


def _message(row: sa.Row[Any]) -> Message:
    return Message(
        id=row.id,
        conversation_id=row.conversation_id,
        offset=row.offset,
        sender_id=UserId(row.sender_id),
        body=row.body.encode(),
        idempotency_key=row.idempotency_key,
        sent_at=row.sent_at,
    )
