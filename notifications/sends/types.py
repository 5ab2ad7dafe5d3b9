"""Values of sends: what is asked, what is kept of it, what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Notice, Urgency, Variables
from kernel.outbox import Entry
from notifications.audit.types import Deed
from notifications.deciding.types import QuietHours
from notifications.pushes import FINAL, Notification, Push, PushRecord, PushState
from notifications.types import DEFAULT_APP, Text


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a send is for. Exactly one of them is said."""

    user_ids: tuple[UserId, ...] = ()
    device_ids: tuple[UUID, ...] = ()
    list_id: str = ""
    topic: str = ""
    condition: str = ""
    app_id: str = DEFAULT_APP
    """Whose topic or condition it is."""

    @property
    def said(self) -> Sequence[str]:
        """The names of those that are said."""
        return [name for name in _AUDIENCES if getattr(self, name)]


_AUDIENCES = ("user_ids", "device_ids", "list_id", "topic", "condition")


@dataclass(frozen=True, slots=True)
class Request:
    """What a server asks for. `texts` word it, or else `template`; `variables` fill either.

    `version` is that of a stored template, 0 the one in use; `variables_of` are for one user
    each, and win. `content` has what the device gets beside words, link, thread and data. A
    `test` goes to few, is of no class but the most urgent, and is told apart for ever.
    """

    audience: Audience
    idempotency_key: str
    template: str = "announcement"
    version: int = 0
    variables: Variables = field(default_factory=dict)
    variables_of: Mapping[UserId, Variables] = field(default_factory=dict)
    texts: Mapping[str, Text] = field(default_factory=dict)
    category: str = "announcement"
    urgency: Urgency = Urgency.TRANSACTIONAL
    expires_after: float | None = None
    collapse_key: str = ""
    thread: str = ""
    link: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    test: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """What is kept of a request. `notice` has its words, and nobody to tell yet.

    `targeted` counts users; it is whole once `planned_at` says that all were handed on.
    """

    id: UUID
    key_id: UUID
    idempotency_key: str
    test: bool
    audience: Audience
    notice: Notice
    created_at: datetime
    planned_at: datetime | None = None
    cancelled_at: datetime | None = None
    targeted: int = 0

    @property
    def expires_at(self) -> datetime:
        return self.notice.expires_at


@dataclass(frozen=True, slots=True)
class Draft:
    """A send before it is stored, with all that is written in the same transaction.

    `entries` are the notices that can be handed on at once; `plan` is what goes to a topic.
    """

    send: Send
    digest: str
    entries: Sequence[Entry]
    plan: tuple[Notification, Push] | None
    deed: Deed


class SendState(StrEnum):
    """How far a send got."""

    PLANNING = "planning"
    """Not everybody's pushes are planned yet."""
    SENDING = "sending"
    """Some pushes are not at their end."""
    DONE = "done"
    EXPIRED = "expired"
    """It was over before everybody's pushes were planned."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of a send, counted from the rows themselves.

    `told` counts users with a notification, `unreachable` those of them without any push.
    """

    pushes: Mapping[PushState, int]
    told: int
    unreachable: int
    reports: Mapping[str, int] = field(default_factory=dict)

    @property
    def unsettled(self) -> int:
        return sum(count for state, count in self.pushes.items() if state not in FINAL)


@dataclass(frozen=True, slots=True)
class Status:
    """A send and what came of it so far."""

    send: Send
    state: SendState
    tally: Tally

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more, but for what devices report."""
        finished = self.state not in (SendState.PLANNING, SendState.SENDING)
        return finished and self.tally.unsettled == 0


def status_of(send: Send, tally: Tally, *, now: datetime) -> Status:
    """How far a send got."""
    whole = send.planned_at is not None and tally.told >= send.targeted
    if send.cancelled_at is not None:
        state = SendState.CANCELLED
    elif not whole:
        state = SendState.PLANNING if now < send.expires_at else SendState.EXPIRED
    else:
        state = SendState.SENDING if tally.unsettled else SendState.DONE
    return Status(send, state, tally)


@dataclass(frozen=True, slots=True)
class SentPush:
    """A push of a send: who was to get it, and what came of it. A topic's has no user."""

    user_id: UserId | None
    notification_id: UUID
    push: PushRecord
    reports: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alike:
    """Devices about which the same is decided, whoever has them; and how many there are.

    `wanted` and `wanted_there` are the users' choices about the category, for all devices and
    for this one; `consented` is what they said of the category that needs their consent.
    """

    devices: int
    time_zone: str
    disabled: bool
    permitted: bool
    stale: bool
    muted: bool
    wanted: bool | None
    wanted_there: bool | None
    consented: bool | None
    quiet: QuietHours | None


@dataclass(frozen=True, slots=True)
class Portion:
    """Some users of a list, in order of their names: the last of them, and their devices."""

    users: int
    last: UserId
    deviceless: int
    alike: Sequence[Alike]


@dataclass(frozen=True, slots=True)
class Census:
    """What became of counting: `users` were counted, up to `last`, which is everybody if it is
    `whole`.

    Of their devices `would` are told, of which `later` not at once, and those in `why_not` are
    not, by reason. `deviceless` users have none.
    """

    users: int = 0
    last: str = ""
    whole: bool = True
    deviceless: int = 0
    would: int = 0
    later: int = 0
    why_not: Mapping[str, int] = field(default_factory=dict)
