"""Appending to conversations' logs on PostgreSQL: one statement for a whole batch.

What follows from the messages goes with it where it holds the offset, which only the statement
finds out, in one place: then a batch is one trip to the database in place of four. It is planned
for each batch: what was planned for small tables would read large ones from end to end.

It runs at READ COMMITTED. Conversations are locked in the order of their ids, so two batches
never wait for each other in a circle. A batch that waited for such a lock may not see what was
committed meanwhile under one of its keys; then the unique constraint stops it, and it is
tried again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from secrets import randbits
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database
from kernel.adapters.plans import once
from messaging.adapters.fates import Fate, not_a_member, not_found, placed, repeated
from messaging.ports import Consequences
from messaging.types import Draft

EntryColumns = tuple[list[Any], ...]
"""Entries of the outbox, column by column, their offsets left out."""

_NO_ENTRIES: EntryColumns = ([], [], [], [], [], [])

_STATEMENT = """
WITH draft AS MATERIALIZED (
    SELECT draft.*, first.id AS first_id, first."offset" AS first_offset, first.body AS first_body,
           first.sent_at AS first_sent_at, first.id IS NOT NULL AS is_repeated,
           first.id IS NULL AND members.user_id IS NOT NULL AS is_fresh
    FROM {once}
    CROSS JOIN unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
         WITH ORDINALITY
         AS draft (id, conversation_id, sender_id, idempotency_key, body, sent_at, number)
    LEFT JOIN LATERAL (
        SELECT * FROM messages
        WHERE messages.conversation_id = draft.conversation_id
          AND messages.sender_id = draft.sender_id
          AND messages.idempotency_key = draft.idempotency_key
        LIMIT 1  -- So that they are looked up one by one: there is an index.
    ) AS first ON true
    LEFT JOIN members
      ON members.conversation_id = draft.conversation_id AND members.user_id = draft.sender_id
), growth AS MATERIALIZED (
    SELECT conversation_id, count(*) AS messages FROM draft WHERE is_fresh GROUP BY conversation_id
), locked AS MATERIALIZED (
    SELECT conversations.id, growth.messages
    FROM growth JOIN conversations ON conversations.id = growth.conversation_id
    ORDER BY conversations.id FOR NO KEY UPDATE OF conversations
), grown AS (
    UPDATE conversations SET top = top + locked.messages
    FROM locked WHERE conversations.id = locked.id
    RETURNING conversations.id, conversations.top - locked.messages AS base
), placed AS MATERIALIZED (
    SELECT draft.*, grown.base
         + row_number() OVER (PARTITION BY draft.conversation_id ORDER BY draft.number) AS "offset"
    FROM draft JOIN grown ON grown.id = draft.conversation_id
    WHERE draft.is_fresh
), inserted AS (
    INSERT INTO messages
           (id, conversation_id, "offset", sender_id, body, idempotency_key, sent_at)
    SELECT id, conversation_id, "offset", sender_id, body, idempotency_key, sent_at FROM placed
){entries}
SELECT draft.number,
       CASE WHEN placed.number IS NOT NULL THEN 'new'
            WHEN draft.is_repeated THEN 'repeated'
            WHEN EXISTS (SELECT FROM conversations
                         WHERE conversations.id = draft.conversation_id) THEN 'foreign'
            ELSE 'homeless' END,
       COALESCE(placed."offset", draft.first_offset), draft.first_id, draft.first_body,
       draft.first_sent_at
FROM draft LEFT JOIN placed USING (number)
ORDER BY draft.number
"""

_ENTRIES = """, told AS (
    INSERT INTO outbox (kind, payload, channel, "offset", transaction_id, created_at, due_at,
                        fence, attempts)
    SELECT kind, head || "offset" || rest, channel, "offset", pg_current_xact_id()::text::bigint,
           $8, due_at, 0, 0
    FROM unnest($9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[],
                $14::timestamptz[])
         AS entry (number, kind, head, rest, channel, due_at)
         JOIN placed USING (number)
    ORDER BY number
)"""

_APPEND = _STATEMENT.format(once=once("$7"), entries="")
_APPEND_WITH_ENTRIES = _STATEMENT.format(once=once("$7"), entries=_ENTRIES)

_UNPLACED = randbits(60) | 1 << 60
"""Stands for an offset that is not known yet; strangers cannot guess it."""


_KEY = "uq_messages_conversation_id_sender_id_idempotency_key"
_SERIALIZATION_FAILURE = "40001"
_DEADLOCK = "40P01"


async def append(connection: AsyncConnection, drafts: Sequence[Draft]) -> list[Fate]:
    """Store drafts of different keys; what became of each, in order."""
    rows = await connection.exec_driver_sql(_APPEND, (*_columns(drafts), 1))
    return [_fate(draft, row) for draft, row in zip(drafts, rows, strict=True)]


async def append_with_entries(
    database: Database, drafts: Sequence[Draft], entries: EntryColumns, now: datetime
) -> list[Fate]:
    """The same with what follows, as `entries_of` put it, in a transaction of its own."""
    rows = await database.fetch(_APPEND_WITH_ENTRIES, (*_columns(drafts), 1, now, *entries))
    return [_fate(draft, row) for draft, row in zip(drafts, rows, strict=True)]


def entries_of(
    drafts: Sequence[Draft], thens: Sequence[Consequences], now: datetime
) -> EntryColumns | None:
    """What will follow from these drafts; None if it says the offset in another way than once."""
    rows: list[tuple[Any, ...]] = []
    unplaced = b"%d" % _UNPLACED
    for number, (draft, then) in enumerate(zip(drafts, thens, strict=True), start=1):
        for entry in then(placed(draft, offset=_UNPLACED).message):
            head, *rests = entry.payload.split(unplaced)
            if len(rests) != 1 or entry.offset != _UNPLACED or entry.dedupe_key is not None:
                return None
            row = (number, entry.kind, head.decode(), rests[0].decode(), entry.channel)
            rows.append((*row, entry.due_at or now))
    return tuple(map(list, zip(*rows, strict=True))) if rows else _NO_ENTRIES


def _columns(drafts: Sequence[Draft]) -> tuple[list[Any], ...]:
    return (
        [draft.id for draft in drafts],
        [draft.conversation_id for draft in drafts],
        [draft.sender_id for draft in drafts],
        [draft.idempotency_key for draft in drafts],
        [draft.body.decode() for draft in drafts],
        [draft.sent_at for draft in drafts],
    )


def is_overtaken(error: sa.exc.DBAPIError) -> bool:
    """Whether the same batch may succeed when it is tried again."""
    return _state(error) in (_SERIALIZATION_FAILURE, _DEADLOCK) or _KEY in str(error.orig)


def _state(error: sa.exc.DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _fate(draft: Draft, row: Iterable[Any]) -> Fate:
    _, became, offset, first_id, body, sent_at = row
    match became:
        case "new":
            return placed(draft, offset=offset)
        case "repeated":
            return repeated(draft, first_id, offset, body, sent_at)
        case "foreign":
            return not_a_member()
        case "homeless":
            return not_found()
        case _:
            raise AssertionError(became)
