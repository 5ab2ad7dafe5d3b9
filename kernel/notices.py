"""Notices: "tell these users that". The only words that rooms share."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from kernel.ids import UserId
from kernel.outbox import Entry

NOTICE = "notice"
"""The kind of an outbox entry that holds a notice."""

WITHDRAWAL = "withdrawal"
"""The kind of an outbox entry that holds a withdrawal."""

RECALL = "recall"
"""The kind of an outbox entry that holds a recall."""

AUDIENCE = 500
"""Users in one notice, at most; a larger audience is several notices."""


Variables = Mapping[str, str | int | float]
"""What fills a text."""


class Urgency(StrEnum):
    """How a notice competes with others, and what becomes of doubtful attempts."""

    INTERACTIVE = "interactive"
    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A room's wish that some users be told something, wherever they are.

    `template` names the text, `version` one of its versions (0 is the one in use), and
    `variables` fill it; those of `variables_of` are for one user each, and win. Whatever
    happens, a user is told once per `dedupe_key`, and not at all after `expires_at`.
    `collapse_key` lets a later one replace an earlier one on the device, `thread` groups what
    belongs together, `link` is what opens when the user taps, and `data` reaches the
    application as it is.

    `place` is where in its thread it stands, 1, 2, 3 …, if the thread is one that is read to
    some place. When it `coalesces`, what follows closely in its thread is told together with it.
    It is `exact` when the user chose this very moment: then no quiet hours hold it back.

    `alarms` name what devices may show by themselves at that moment: one that holds all of them
    is not told.

    What a server asked for by itself says more: `texts` are a title and a body per locale, in
    place of a template's; `content` has further fields of what the device gets, under
    notifications' names; of the users' devices only `device_ids` are told, if there are any;
    and what becomes of it counts for the send `send_id`.
    """

    user_ids: tuple[UserId, ...]
    template: str
    category: str
    urgency: Urgency
    dedupe_key: str
    expires_at: datetime
    version: int = 0
    variables: Variables = {}
    variables_of: Mapping[UserId, Variables] = {}
    collapse_key: str = ""
    thread: str = ""
    place: int = 0
    coalesces: bool = False
    exact: bool = False
    link: str = ""
    data: Mapping[str, str] = {}
    alarms: tuple[str, ...] = ()
    texts: Mapping[str, tuple[str, str]] = {}
    content: Mapping[str, Any] = {}
    device_ids: tuple[UUID, ...] = ()
    send_id: UUID | None = None


def entry_of(notice: Notice, *, due_at: datetime | None = None) -> Entry:
    """The outbox entry that carries `notice`."""
    return Entry(
        kind=NOTICE,
        payload=msgspec.json.encode(notice),
        dedupe_key=entry_key(notice.dedupe_key),
        due_at=due_at,
    )


def entry_key(dedupe_key: str) -> str:
    """The dedupe key of the outbox entry that carries the notice with this one."""
    return f"notice:{dedupe_key}"


def notice_of(payload: bytes) -> Notice:
    """The notice that an outbox entry carries."""
    return msgspec.json.decode(payload, type=Notice)


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user need not be told of a thread any more, up to a place in it: they have seen it.

    What waits is not told, and what is shown is taken back, except on the device they saw it on.
    """

    user_id: UserId
    thread: str
    place: int
    device_id: UUID | None = None


def withdrawal_entry(withdrawal: Withdrawal) -> Entry:
    """The outbox entry that carries `withdrawal`."""
    return Entry(kind=WITHDRAWAL, payload=msgspec.json.encode(withdrawal))


def withdrawal_of(payload: bytes) -> Withdrawal:
    """The withdrawal that an outbox entry carries."""
    return msgspec.json.decode(payload, type=Withdrawal)


class Recall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A user need not be told of one notice any more: somebody has seen to it.

    `notice` is its dedupe key, `collapse_key` what it is known by on devices. From the moment
    this is committed nothing more leaves for them; what is shown is taken back, except on the
    device they saw to it on.
    """

    user_id: UserId
    notice: str
    collapse_key: str
    device_id: UUID | None = None


def recall_key(user_id: UserId, collapse_key: str) -> str:
    """The dedupe key of a recall's entry: whoever is about to send looks for it."""
    return f"recall:{user_id}:{collapse_key}"


def recall_entry(recall: Recall) -> Entry:
    """The outbox entry that carries `recall`."""
    return Entry(
        kind=RECALL,
        payload=msgspec.json.encode(recall),
        dedupe_key=recall_key(recall.user_id, recall.collapse_key),
    )


def recall_of(payload: bytes) -> Recall:
    """The recall that an outbox entry carries."""
    return msgspec.json.decode(payload, type=Recall)
