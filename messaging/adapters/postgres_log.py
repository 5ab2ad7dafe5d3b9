"""Appending to conversations' logs on PostgreSQL: one statement for a whole batch.

What follows from the messages goes with it where it holds the offset, which only the statement
finds out, in one place: then a batch is one trip to the database in place of four.

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
from messaging.adapters.fates import Fate, not_a_member, not_found, placed, repeated
from messaging.ports import Consequences
from messaging.types import Draft

EntryColumns = tuple[list[Any], ...]
"""Entries of the outbox, column by column, their offsets left out."""

_NO_ENTRIES: EntryColumns = ([], [], [], [], [], [])

_STATEMENT = """
WITH draft AS MATERIALIZED (
    SELECT *
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
    WITH ORDINALITY
    AS draft (id, conversation_id, sender_id, idempotency_key, body, sent_at, number)
), repeated AS MATERIALIZED (
    SELECT draft.number, messages.id, messages."offset", messages.body, messages.sent_at
    FROM draft JOIN messages USING (conversation_id, sender_id, idempotency_key)
), fresh AS MATERIALIZED (
    SELECT draft.*
    FROM draft JOIN members
      ON members.conversation_id = draft.conversation_id AND members.user_id = draft.sender_id
    WHERE draft.number NOT IN (SELECT number FROM repeated)
), growth AS MATERIALIZED (
    SELECT conversation_id, count(*) AS messages FROM fresh GROUP BY conversation_id
), locked AS MATERIALIZED (
    SELECT id FROM conversations WHERE id = ANY (ARRAY(SELECT conversation_id FROM growth))
    ORDER BY id FOR NO KEY UPDATE
), grown AS (
    UPDATE conversations SET top = top + growth.messages
    FROM growth JOIN locked ON locked.id = growth.conversation_id
    WHERE conversations.id = growth.conversation_id
    RETURNING conversations.id, conversations.top - growth.messages AS base
), placed AS MATERIALIZED (
    SELECT fresh.*, grown.base
         + row_number() OVER (PARTITION BY fresh.conversation_id ORDER BY fresh.number) AS "offset"
    FROM fresh JOIN grown ON grown.id = fresh.conversation_id
), inserted AS (
    INSERT INTO messages
           (id, conversation_id, "offset", sender_id, body, idempotency_key, sent_at)
    SELECT id, conversation_id, "offset", sender_id, body, idempotency_key, sent_at FROM placed
){entries}
SELECT number, 'new' AS became, "offset", NULL AS id, NULL AS body, NULL AS sent_at FROM placed
UNION ALL
SELECT number, 'repeated', "offset", id, body, sent_at FROM repeated
UNION ALL
SELECT number,
       CASE WHEN EXISTS (SELECT FROM conversations WHERE conversations.id = draft.conversation_id)
            THEN 'foreign' ELSE 'homeless' END,
       NULL, NULL, NULL, NULL
FROM draft
WHERE number NOT IN (SELECT number FROM placed UNION ALL SELECT number FROM repeated)
ORDER BY number
"""

_ENTRIES = """, told AS (
    INSERT INTO outbox (kind, payload, channel, "offset", transaction_id, created_at, due_at,
                        fence, attempts)
    SELECT kind, head || "offset" || rest, channel, "offset", pg_current_xact_id()::text::bigint,
           $7, due_at, 0, 0
    FROM unnest($8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[],
                $13::timestamptz[])
         AS entry (number, kind, head, rest, channel, due_at)
         JOIN placed USING (number)
    ORDER BY number
)"""

_APPEND = _STATEMENT.format(entries="")
_APPEND_WITH_ENTRIES = _STATEMENT.format(entries=_ENTRIES)

_UNPLACED = randbits(60) | 1 << 60
"""Stands for an offset that is not known yet; strangers cannot guess it."""


_KEY = "uq_messages_conversation_id_sender_id_idempotency_key"
_SERIALIZATION_FAILURE = "40001"
_DEADLOCK = "40P01"


async def append(connection: AsyncConnection, drafts: Sequence[Draft]) -> list[Fate]:
    """Store drafts of different keys; what became of each, in order."""
    rows = await connection.exec_driver_sql(_APPEND, _columns(drafts))
    return [_fate(draft, row) for draft, row in zip(drafts, rows, strict=True)]


async def append_with_entries(
    database: Database, drafts: Sequence[Draft], entries: EntryColumns, now: datetime
) -> list[Fate]:
    """The same with what follows, as `entries_of` put it, in a transaction of its own."""
    rows = await database.fetch(_APPEND_WITH_ENTRIES, (*_columns(drafts), now, *entries))
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
