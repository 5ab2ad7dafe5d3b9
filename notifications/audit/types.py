"""The audit trail's values: a deed, and the record that is kept of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kernel.identity import Principal
from kernel.ids import UserId

Detail = str | int | float | bool | None

SYSTEM = "system"
"""Who did what nobody asked for: a clean-up, a credential read again."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done and that somebody may have to answer for.

    `action` is a fact, `<noun>.<past participle>`: `credential.changed`, `push.sent`. `actor`
    is `key:<id>`, `user:<id>` or `system`; `subject` is `<noun>:<id>`. `user_id` is whom it
    concerns: erasing that user takes the name out of the record, so names of users stand
    nowhere else in it. `details` hold no secret, no address and no words of a message.
    """

    actor: str
    action: str
    subject: str
    user_id: UserId | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A deed as it was recorded, in the transaction that did it."""

    id: UUID
    at: datetime
    deed: Deed


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which records: those that agree with whatever is not empty."""

    actor: str = ""
    action: str = ""
    """An action, or what comes before its dot: `credential`."""
    subject: str = ""
    user_id: UserId | None = None


def actor_of(principal: Principal) -> str:
    """How the audit trail names whoever makes a request."""
    if principal.key_id is not None:
        return f"key:{principal.key_id}"
    return f"user:{principal.user}"


def deed_of(
    principal: Principal,
    action: str,
    subject: str,
    *,
    user_id: UserId | None = None,
    **details: Detail,
) -> Deed:
    """What `principal` did. A user who acts is also whom it concerns, unless it says otherwise."""
    concerned = principal.user_id or None if user_id is None else user_id
    return Deed(actor_of(principal), action, subject, concerned, details)
