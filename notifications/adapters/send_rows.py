"""Sends as rows: a draft written, a send read."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from kernel.adapters.database import table_of
from kernel.notices import Notice
from notifications.adapters.send_tables import SendRow
from notifications.sends.types import Audience, Draft, Send

SENDS = table_of(SendRow)

_audience = msgspec.json.Decoder(Audience)
_notice = msgspec.json.Decoder(Notice)


def send_row(draft: Draft) -> Mapping[str, Any]:
    """The row of a new send."""
    send = draft.send
    return {
        "id": send.id,
        "key_id": send.key_id,
        "idempotency_key": send.idempotency_key,
        "test": send.test,
        "audience": msgspec.json.encode(send.audience).decode(),
        "words": msgspec.json.encode(send.notice).decode(),
        "urgency": send.notice.urgency,
        "category": send.notice.category,
        "created_at": send.created_at,
        "expires_at": send.expires_at,
        "planned_at": send.planned_at,
        "targeted": send.targeted,
        "cursor": "",
        "following": False,
        # Only for nodes of the release before, which tell webhooks of sends by it.
        "watched": True,
    }


def send_of(row: sa.Row[Any]) -> Send:
    """The send that a whole row holds."""
    return Send(
        id=row.id,
        key_id=row.key_id,
        idempotency_key=row.idempotency_key,
        test=row.test,
        audience=_audience.decode(row.audience),
        notice=_notice.decode(row.words),
        created_at=row.created_at,
        planned_at=row.planned_at,
        cancelled_at=row.cancelled_at,
        targeted=row.targeted,
    )
