"""Bodies of the API of sends and lists."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.notices import Urgency
from notifications.contents.checks import BADGE
from notifications.pushes import PushState
from notifications.schemas import (
    AppId,
    AttemptBody,
    Category,
    Key,
    Link,
    Locale,
    Name,
    TextBody,
    Words,
)
from notifications.sends.drafting import MEMBERS
from notifications.sends.lists import AT_ONCE
from notifications.sends.sends import BATCH, PAGE
from notifications.sends.types import SendState
from notifications.types import DEFAULT_APP, PushKind, Route

User = Annotated[str, Meta(min_length=1, max_length=128)]
Users = Annotated[list[User], Meta(max_length=MEMBERS)]
ListName = Annotated[str, Meta(pattern="^[a-zA-Z0-9_.-]{1,64}$", examples=["guests"])]
Variables = Annotated[dict[str, str | int | float], Meta(max_length=32)]
Block = Annotated[
    dict[str, Any], Meta(description="As its provider has it; docs/pushes.md names the fields.")
]
Limit = Annotated[int, Meta(ge=1, le=PAGE)]


class SendPush(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who shall be told what. Exactly one of `user_ids`, `device_ids`, `list_id`, `topic` and
    `condition` says whom; the last two are FCM's, of the app `app_id`.

    `texts` word it, one per locale; or `template`, of which "announcement" takes the variables
    `title` and `body`, and version 0 is the one in use; `variables_of` has variables of single
    users. `data` reaches the app as it is. A `test` goes to ten at most, at once, to see how
    it looks.
    """

    idempotency_key: Key
    user_ids: Users = []
    device_ids: Annotated[list[UUID], Meta(max_length=MEMBERS)] = []
    list_id: ListName | None = None
    topic: Annotated[str, Meta(min_length=1, max_length=900)] | None = None
    condition: Annotated[str, Meta(min_length=1, max_length=5000)] | None = None
    app_id: AppId = DEFAULT_APP
    variables_of: Annotated[dict[User, Variables], Meta(max_length=MEMBERS)] = {}
    urgency: Urgency = Urgency.TRANSACTIONAL
    expires_after: float | None = None
    test: bool = False
    template: Name = "announcement"
    version: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    variables: Variables = {}
    texts: Annotated[dict[Locale, TextBody], Meta(max_length=64)] = {}
    category: Category = "announcement"
    collapse_key: Annotated[str, Meta(max_length=128)] = ""
    thread: Annotated[str, Meta(max_length=128)] = ""
    link: Link = ""
    data: Words = {}
    kind: PushKind = PushKind.ALERT
    image: Annotated[str, Meta(pattern="^(https://[!-~]{1,2040})?$")] = ""
    badge: Annotated[int, Meta(ge=0, le=BADGE)] | None = None
    now_or_never: bool = False
    label: Annotated[str, Meta(pattern="^[a-zA-Z0-9_.~%-]{0,50}$")] = ""
    apple_priority: Literal[1, 5, 10] | None = None
    live_activity_token: Annotated[str, Meta(pattern="^([0-9a-fA-F]{2,200})?$")] = ""
    apple: Block = {}
    android: Block = {}
    web: Block = {}


class RehearsePush(SendPush, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A send as `pushes.send` takes it; with the `cursor` of a census, it is counted on there."""

    cursor: Annotated[str, Meta(max_length=8192)] | None = None


class SentPush(msgspec.Struct, frozen=True):
    """What was taken: ask for `id` to learn what became of it. Users who were named have a
    notification each."""

    id: UUID
    targeted: int
    notifications: dict[str, UUID]


class SendMany(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several sends, each as `pushes.send` takes it, and each taken or refused by itself."""

    sends: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=BATCH)]


class Failure(msgspec.Struct, frozen=True):
    """Why one of several was refused."""

    code: str
    message: str
    details: dict[str, Any]


class OneResult(msgspec.Struct, frozen=True):
    """What became of one of several: it was taken, or refused."""

    id: UUID | None
    targeted: int | None
    error: Failure | None


class ManyResults(msgspec.Struct, frozen=True):
    """One result for each send, in order."""

    results: list[OneResult]


class SendId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a send."""

    send_id: UUID


class AudienceBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom a send is for."""

    user_ids: list[str] = []
    device_ids: list[UUID] = []
    list_id: str = ""
    topic: str = ""
    condition: str = ""


class SendBody(msgspec.Struct, frozen=True):
    """A send as it was taken. `targeted` is whole once it is `planned`."""

    id: UUID
    idempotency_key: str
    test: bool
    audience: AudienceBody
    urgency: Urgency
    category: str
    created_at: datetime
    expires_at: datetime
    cancelled_at: datetime | None
    planned: bool
    targeted: int


class SendStatus(msgspec.Struct, frozen=True):
    """How far a send got. `counts` has the pushes by state, `unreachable` the users without
    any; `reports` what devices said since. `over`: only reports may still come."""

    send: SendBody
    state: SendState
    over: bool
    told: int
    unreachable: int
    counts: dict[str, int]
    reports: dict[str, int]


class ListSends(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page."""

    cursor: str | None = None
    limit: Limit = 50


class SendPage(msgspec.Struct, frozen=True):
    """Sends, newest first; with a `cursor` there are more."""

    sends: list[SendBody]
    cursor: str | None


class ListSentPushes(SendId, frozen=True, forbid_unknown_fields=True):
    """Which pushes of a send: those in `state`, which may be given several times."""

    state: list[PushState] = []
    cursor: str | None = None
    limit: Limit = 100


class SentPushBody(msgspec.Struct, frozen=True):
    """A push of a send. One to a topic has neither user nor device."""

    id: UUID
    notification_id: UUID
    user_id: str | None
    device_id: UUID | None
    route: Route
    state: PushState
    reason: str
    due_at: datetime
    settled_at: datetime | None
    attempts: list[AttemptBody]
    reports: dict[str, datetime]


class SentPushPage(msgspec.Struct, frozen=True):
    """Pushes of a send; with a `cursor` there are more."""

    pushes: list[SentPushBody]
    cursor: str | None


class ListId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a list."""

    list_id: ListName


class ListUsers(ListId, frozen=True, forbid_unknown_fields=True):
    """Names a list and users."""

    user_ids: Annotated[list[User], Meta(max_length=AT_ONCE)]


class ListedPage(ListId, frozen=True, forbid_unknown_fields=True):
    """Which users of a list."""

    cursor: str | None = None
    limit: Limit = 100


class ListBody(msgspec.Struct, frozen=True):
    """A list and how many users it has."""

    list_id: str
    users: int


class ListDetail(msgspec.Struct, frozen=True):
    """A list, its size and its last change."""

    list_id: str
    users: int
    changed_at: datetime


class NamedList(msgspec.Struct, frozen=True):
    """A list by name."""

    list_id: str
    changed_at: datetime


class AllLists(msgspec.Struct, frozen=True):
    """Every list."""

    lists: list[NamedList]


class UserPage(msgspec.Struct, frozen=True):
    """Users of a list, by name; with a `cursor` there are more."""

    user_ids: list[str]
    cursor: str | None
