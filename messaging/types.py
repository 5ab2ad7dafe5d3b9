"""Messaging's values. All frozen; none of them knows how it is stored or sent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kernel.bus import StreamPosition
from kernel.ids import UserId


class ConversationKind(StrEnum):
    """A direct conversation is the only one between its two members, and never grows."""

    DIRECT = "direct"
    GROUP = "group"


class Role(StrEnum):
    """What a member may do: owners and admins change who is in, owners change roles."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A lasting exchange among members. `top` is the offset of its newest message, or 0."""

    id: UUID
    kind: ConversationKind
    title: str
    created_by: UserId
    created_at: datetime
    top: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a conversation; muted ones get no notices about it."""

    conversation_id: UUID
    user_id: UserId
    role: Role
    joined_at: datetime
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Audience:
    """Who wants to be told of a conversation's messages: its members who have not muted it."""

    conversation_id: UUID
    title: str
    user_ids: tuple[UserId, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before the log gave it an offset. `body` is a JSON object as text."""

    id: UUID
    conversation_id: UUID
    sender_id: UserId
    body: bytes
    idempotency_key: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One durable entry of a conversation's log."""

    id: UUID
    conversation_id: UUID
    offset: int
    sender_id: UserId
    body: bytes
    idempotency_key: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Presence:
    """One live connection of a user, as others may see it. `info` is JSON text."""

    user_id: UserId
    client: str
    info: bytes | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How many publications a log keeps, and for how many seconds after the last one."""

    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Posting:
    """A publication before its stream gave it an offset.

    `data` is JSON text and `extra` what travels beside it. `size` is how many publications the
    stream keeps, until `kept_until`. A posting with a `version` is for those only who have an
    older one; versions of another `version_epoch` count anew.
    """

    channel: str
    data: bytes
    extra: bytes
    size: int
    kept_until: datetime
    known_until: datetime
    idempotency_key: str = ""
    remembered_until: datetime | None = None
    version: int = 0
    version_epoch: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a posting is in its stream, or where the one is that made it unnecessary."""

    position: StreamPosition
    is_new: bool


@dataclass(frozen=True, slots=True)
class ChannelMember:
    """One connection's subscription to a channel, as others may see it. Infos are JSON text."""

    channel: str
    client: str
    user_id: UserId
    conn_info: bytes | None = None
    """About the connection, the same in all its channels."""
    chan_info: bytes | None = None
    """About this subscription."""


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """How much a node holds."""

    clients: int
    users: int
    subscriptions: int
    channels: int


@dataclass(frozen=True, slots=True)
class Caller:
    """What a client said of itself when it connected, and when that was."""

    app_name: str
    app_version: str
    connected_at: datetime
