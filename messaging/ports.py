"""What messaging needs from the outside. Guarantees here, mechanics in `adapters/`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kernel.bus import Publication, StreamPosition
from kernel.ids import UserId
from kernel.outbox import Entry
from kernel.paging import Page
from messaging.facts import Missed
from messaging.protocol import values
from messaging.types import (
    Audience,
    ChannelMember,
    Conversation,
    Draft,
    Member,
    Message,
    Posted,
    Posting,
    Presence,
    Retention,
    Role,
)

Membership = tuple[UUID, UserId]
"""A conversation, and a user who is or is not in it."""

Consequences = Callable[[Message], Iterable[Entry]]
"""What follows from a message: pure, and run inside the transaction that stores it."""


class ConversationStore(Protocol):
    """Conversations and their members. Every method is one whole transaction."""

    async def create(self, conversation: Conversation, members: Sequence[Member]) -> Conversation:
        """Store both; for a direct conversation whose two users have one, return that one."""
        ...

    async def get(self, conversation_id: UUID) -> Conversation | None: ...

    async def of_user(
        self, user_id: UserId, *, cursor: str | None, limit: int
    ) -> Page[Conversation]:
        """The user's conversations, the one created last first."""
        ...

    async def member(self, conversation_id: UUID, user_id: UserId) -> Member | None: ...

    async def memberships(self, pairs: Collection[Membership]) -> Collection[Membership]:
        """Which of these users are in these conversations."""
        ...

    async def members(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Member]]:
        """Every member of each conversation, in the order they joined."""
        ...

    async def put_member(self, member: Member, *, limit: int | None = None) -> Member:
        """Add a member; one who is in the conversation already stays as they are.

        Returns the member as stored. Raises `ConversationFull` if it has `limit` members.
        """
        ...

    async def change_member(
        self,
        conversation_id: UUID,
        user_id: UserId,
        *,
        role: Role | None = None,
        muted: bool | None = None,
    ) -> Member | None:
        """Change what is given and nothing else; the member as changed, or None if there is none.

        Raises `LastOwner` if a group would be left without an owner.
        """
        ...

    async def remove_member(
        self, conversation_id: UUID, user_id: UserId, *, then: Sequence[Entry]
    ) -> bool:
        """Remove a member and write `then`; whether there was one.

        Raises `LastOwner` if a group that still has members would be left without an owner.
        """
        ...


class Audiences(Protocol):
    """Whom the messages of conversations concern."""

    async def audiences(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Audience]:
        """The audience of each conversation that exists."""
        ...


@dataclass(frozen=True, slots=True)
class MessagePage:
    """A part of a conversation's log: offsets, and the messages as they are published."""

    top: int
    """The newest offset of the conversation at the same moment."""
    publications: Sequence[tuple[int, bytes]]


class MissedMessages(Protocol):
    """What users may have missed."""

    async def missed(self, since: Mapping[UserId, datetime]) -> Sequence[Missed]:
        """The newest messages that others sent to users since an instant each.

        Conversations that a user has muted are left out.
        """
        ...


class MessageStore(Protocol):
    """The log of each conversation. Every method is one whole transaction."""

    async def append(self, draft: Draft, *, then: Consequences) -> Message:
        """Give `draft` the next offset of its conversation and store it.

        Offsets are 1, 2, 3 … without gaps. The entries of `then(message)` are committed with
        it. Appending a draft whose idempotency key the sender used in this conversation before
        returns the first message and writes nothing. Membership is checked in the same
        transaction: raises `ConversationNotFound` if there is none, `NotAMember` if the sender
        is not in it, `Unavailable` when too many drafts wait already.
        """
        ...

    async def since(self, conversation_id: UUID, *, offset: int, limit: int) -> Sequence[Message]:
        """The messages after `offset`, oldest first."""
        ...

    async def before(
        self, conversation_id: UUID, *, offset: int | None, limit: int
    ) -> Sequence[Message]:
        """The messages before `offset` (None: from the newest), newest first."""
        ...

    async def page(
        self, conversation_id: UUID, *, beyond: int, limit: int, backwards: bool = False
    ) -> MessagePage | None:
        """Messages after the offset `beyond`, oldest first; backwards before it, newest first.

        None if there is no such conversation.
        """
        ...

    async def tops(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """The newest offset of each conversation that exists."""
        ...

    async def epoch(self) -> str:
        """Names this life of the database; offsets are comparable within it."""
        ...


class PublicationStore(Protocol):
    """The streams of channels that are no conversations. Every method is one transaction.

    A stream's epoch is its own: one that was forgotten and begins anew has another.
    """

    async def append(self, posting: Posting) -> Posted:
        """Give `posting` the next offset of its stream, and let go what is beyond its size.

        Under an idempotency key that is remembered, or with a version that is not newer than
        the stream's, nothing is written. Raises `Unavailable` when too many wait already.
        """
        ...

    async def remember(self, channel: str, key: str, *, until: datetime) -> bool:
        """Remember a key under which nothing is kept; whether it was not remembered before."""
        ...

    async def tops(
        self, channels: Sequence[str], *, known_until: Mapping[str, datetime]
    ) -> Mapping[str, StreamPosition]:
        """Where each stream ends. It is known until then at least, or for most of the time to it.

        One that is new begins here.
        """
        ...

    async def since(self, channel: str, *, offset: int, limit: int) -> Sequence[Publication]:
        """The publications after `offset` that are still kept, oldest first."""
        ...

    async def before(
        self, channel: str, *, offset: int | None, limit: int
    ) -> Sequence[Publication]:
        """The kept publications before `offset` (None: from the newest), newest first."""
        ...

    async def remove(self, channel: str) -> None:
        """Let go all publications of a stream; its offsets go on."""
        ...

    async def prune(self, *, limit: int) -> int:
        """Delete what is over: publications, streams, keys; how many, about `limit` at most."""
        ...


@dataclass(frozen=True, slots=True)
class StreamPage:
    """A part of a channel's stream as clients are given it, and where the stream ends."""

    top: StreamPosition
    publications: Sequence[values.Publication]


class Streams(Protocol):
    """The logs behind channels, by channel name. A channel may have none."""

    def kept(self, channel: str) -> Retention | None:
        """What the log of a channel keeps; None if it keeps all."""
        ...

    async def tops(self, channels: Sequence[str]) -> Mapping[str, StreamPosition]:
        """Where the log of each channel ends; channels without a log are not among them."""
        ...

    async def since(self, channel: str, *, offset: int, limit: int) -> Sequence[Publication]:
        """The publications after `offset`, oldest first."""
        ...

    async def before(
        self, channel: str, *, offset: int | None, limit: int
    ) -> Sequence[Publication]:
        """The publications before `offset` (None: from the newest), newest first."""
        ...

    async def page(
        self, channel: str, *, beyond: int, limit: int, backwards: bool = False
    ) -> StreamPage | None:
        """Publications after an offset, or before it and newest first; None without a log."""
        ...


class PresenceRegistry(Protocol):
    """Who is connected now, on any node. A node that stops renewing vanishes in seconds.

    Who comes and goes is remembered: what cannot be told now is told by `renew`. Whoever asks
    is told `Unavailable` when nobody can answer.
    """

    async def enter(self, connections: Sequence[Presence]) -> None:
        """Connections of this node begin."""
        ...

    async def leave(self, connections: Sequence[Presence]) -> None:
        """Connections of this node are over."""
        ...

    async def renew(self) -> None:
        """Say that this node and all its connections are still there. Called by a worker.

        Raises `Unavailable` when nobody hears it.
        """
        ...

    async def present(self, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        """Which of them have at least one connection."""
        ...

    async def connections(self, user_ids: Sequence[UserId]) -> Mapping[str, Presence]:
        """Their connections, by client id."""
        ...


class ChannelPresenceRegistry(Protocol):
    """Who is subscribed to a channel, on any node, with the promises of `PresenceRegistry`."""

    async def enter(self, entries: Sequence[ChannelMember]) -> None:
        """Subscriptions of this node begin; what was told of one of them before is replaced."""
        ...

    async def leave(self, entries: Sequence[ChannelMember]) -> None:
        """Subscriptions of this node are over. Channel, client and user say which."""
        ...

    async def renew(self) -> None:
        """Say that this node and all its subscriptions are still there. Called by a worker."""
        ...

    async def members(self, channel: str) -> Mapping[str, ChannelMember]:
        """Everybody who is subscribed, by client id."""
        ...

    async def counts(self, channel: str) -> tuple[int, int]:
        """How many clients are subscribed, and how many users they belong to."""
        ...
