"""Bodies of the audit trail's API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from notifications.audit.trail import PAGE
from notifications.audit.types import Detail

Words = Annotated[str, msgspec.Meta(max_length=255)]


class ReadAudit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which records: those that agree with whatever is given. `credential` is every action
    on credentials."""

    actor: Words = ""
    action: Words = ""
    subject: Words = ""
    user_id: Annotated[str, msgspec.Meta(max_length=128)] = ""
    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE)] = 50


class AuditBody(msgspec.Struct, frozen=True):
    """Who did what to what, and when. `user_id` is whom it concerned, until they are erased."""

    id: UUID
    at: datetime
    actor: str
    action: str
    subject: str
    user_id: str | None
    details: dict[str, Detail]


class AuditPage(msgspec.Struct, frozen=True):
    """Records, newest first; with a `cursor` there are more."""

    records: list[AuditBody]
    cursor: str | None
