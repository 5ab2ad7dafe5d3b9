"""Actions: what users say of a reminder from the notification itself, and what proves it. Pure."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from struct import Struct
from uuid import UUID

from kernel.ids import UserId, is_user_id

LIFETIME = timedelta(days=7)
"""How long after it was sent a reminder can be acted on without a login."""


class ActionKind(StrEnum):
    """The buttons of a reminder."""

    DONE = "done"
    SNOOZE_20_MINUTES = "snooze_20_minutes"
    SNOOZE_1_HOUR = "snooze_1_hour"
    SNOOZE_THIS_EVENING = "snooze_this_evening"
    SNOOZE_TOMORROW = "snooze_tomorrow"
    STOP_REMINDING = "stop_reminding"
    """Nothing more is said to this person once it is overdue."""
    OPEN = "open"
    """The app was opened with it: it need not be shown elsewhere."""


class ActionOutcome(StrEnum):
    """What an action came to."""

    APPLIED = "applied"
    ALREADY_DONE = "already_done"
    """The task, or the occurrence that it was about, had been done before."""
    LATE = "late"
    """Something newer was said meanwhile, or its time is over. Nothing changed."""


TOGETHER = UUID(int=0)
"""In place of a task: all whose firings were told in one."""


@dataclass(frozen=True, slots=True)
class Actionable:
    """One of several firings that were told in one: the task and occurrence that it is about."""

    firing: bytes
    event_id: UUID
    task_id: UUID
    day: date


@dataclass(frozen=True, slots=True)
class ActionGrant:
    """Who may act on which firing: one person, about one task and occurrence, for a while; or
    on all that were told `TOGETHER` with it.

    `day` is the firing's nominal day, and with it the occurrence of what comes again.
    """

    firing: bytes
    user_id: UserId
    event_id: UUID
    task_id: UUID
    day: date
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Acted:
    """An action that was taken, under the id that its device gave it: asking again gives this."""

    user_id: UserId
    action_id: UUID
    kind: ActionKind
    firing: bytes
    event_id: UUID
    task_id: UUID
    outcome: ActionOutcome
    asked_at: datetime
    """When the button was tapped, as far as a phone's clock can be believed."""
    acted_at: datetime
    until: datetime | None = None
    """When a snoozed reminder comes again."""


_HEAD = Struct(">BIIi16s16s16s")
_VERSION = 1
_PROOF_BYTES = 16
_LONGEST = 320


class ActionSigner:
    """Signs with the first key and trusts any; without a key nothing is signed or trusted.

    The keys are made from secrets that serve other ends as well, and tell nothing of them: a
    token of another purpose is none here, and the other way round.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._keys = [
            hmac.digest(each.encode(), b"zaffa actions on reminders", "sha256") for each in secrets
        ]

    def token(self, grant: ActionGrant) -> str:
        """What a device shows to act: text without padding, or none."""
        if not self._keys:
            return ""
        said = _HEAD.pack(
            _VERSION,
            int(grant.issued_at.timestamp()),
            int(grant.expires_at.timestamp()),
            grant.day.toordinal(),
            grant.firing,
            grant.event_id.bytes,
            grant.task_id.bytes,
        )
        said += grant.user_id.encode()
        return urlsafe_b64encode(said + _proof(self._keys[0], said)).decode().rstrip("=")

    def grant(self, token: str) -> ActionGrant | None:
        """What a token of ours says; None for anything else."""
        if len(token) > _LONGEST:
            return None
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        said, proof = raw[:-_PROOF_BYTES], raw[-_PROOF_BYTES:]
        trusted = [hmac.compare_digest(proof, _proof(key, said)) for key in self._keys]
        if not any(trusted) or len(said) <= _HEAD.size:
            return None
        version, issued, expires, day, firing, event_id, task_id = _HEAD.unpack_from(said)
        user_id = said[_HEAD.size :].decode()
        if version != _VERSION or not is_user_id(user_id):
            return None
        return ActionGrant(
            firing=firing,
            user_id=UserId(user_id),
            event_id=UUID(bytes=event_id),
            task_id=UUID(bytes=task_id),
            day=date.fromordinal(day),
            issued_at=datetime.fromtimestamp(issued, UTC),
            expires_at=datetime.fromtimestamp(expires, UTC),
        )


def _proof(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")[:_PROOF_BYTES]
