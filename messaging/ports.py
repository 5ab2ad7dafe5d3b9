"""What messaging needs from the outside. Guarantees here, mechanics in `adapters/`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from kernel.outbox import Entry
from kernel.paging import Page
from messaging.types import Conversation, Draft, Member, Message, Presence

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

    async def members(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Member]]:
        """Every member of each conversation, in the order they joined."""
        ...

    async def put_member(self, member: Member) -> None:
        """Add a member, or change the role and mute of one; `joined_at` stays."""
        ...

    async def remove_member(
        self, conversation_id: UUID, user_id: UserId, *, then: Sequence[Entry]
    ) -> bool:
        """Remove a member and write `then`; whether there was one."""
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

    async def tops(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """The newest offset of each conversation that exists."""
        ...

    async def epoch(self) -> str:
        """Names this life of the database; offsets are comparable within it."""
        ...


class PresenceRegistry(Protocol):
    """Who is connected now, on any node. Entries vanish when they are not renewed in time."""

    async def enter(self, user_id: UserId, client: str, *, info: bytes | None) -> None:
        """A connection of this node begins."""
        ...

    async def leave(self, user_id: UserId, client: str) -> None: ...

    async def renew(self) -> None:
        """Say that this node and all its connections are still there. Called by a worker."""
        ...

    async def present(self, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        """Which of them have at least one connection."""
        ...

    async def connections(self, user_ids: Sequence[UserId]) -> Mapping[str, Presence]:
        """Their connections, by client id."""
        ...
