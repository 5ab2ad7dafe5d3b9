"""Conversations: opening them, and who is in them in what role."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.ids import UserId, is_user_id, new_id
from kernel.options import option
from kernel.outbox import Claimed, Entry
from kernel.paging import Page
from messaging.channels.names import conversation_channel
from messaging.conversations.titles import title_of
from messaging.errors import (
    ConversationFull,
    ConversationNotFound,
    MemberNotFound,
    NotAGroup,
    RoleTooLow,
)
from messaging.facts import member_removed, removed_of
from messaging.nodes.control import LEFT, Unsubscribe, publication_of_order
from messaging.ports import ConversationStore
from messaging.types import Conversation, ConversationKind, Member, Role

PAGE = 100
"""Conversations in one page of a listing, at most."""


@dataclass(frozen=True, slots=True)
class ConversationLimits:
    """How large conversations may grow."""

    members: int = option(500, "Members of a group, at most.")

    def __post_init__(self) -> None:
        if self.members < 2:
            raise ValueError("members must be at least 2")


class Conversations:
    """What users do with conversations. To who is not in one, it does not exist."""

    def __init__(
        self, *, store: ConversationStore, bus: Bus, clock: Clock, limits: ConversationLimits
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._limits = limits

    async def open(
        self, user_id: UserId, *, kind: ConversationKind, title: str, user_ids: Sequence[UserId]
    ) -> Conversation:
        """Open a conversation of `user_id` with others: the direct one with a user, or a group."""
        if kind is ConversationKind.GROUP:
            return await self.open_group(user_id, title=title, user_ids=user_ids)
        if len(user_ids) != 1:
            raise InvalidInput("user_ids", "must name exactly one other user")
        if title:
            raise InvalidInput("title", "is for groups")
        return await self.open_direct(user_id, other_id=user_ids[0])

    async def open_direct(self, user_id: UserId, *, other_id: UserId) -> Conversation:
        """The only direct conversation of two users; made by whoever asks first."""
        _check_user(user_id)
        _check_user(other_id)
        if other_id == user_id:
            raise InvalidInput("user_ids", "must name somebody else")
        return await self._create(ConversationKind.DIRECT, "", user_id, {other_id: Role.MEMBER})

    async def open_group(
        self, user_id: UserId, *, title: str, user_ids: Sequence[UserId]
    ) -> Conversation:
        """A new group that `user_id` owns."""
        _check_user(user_id)
        others = {each: Role.MEMBER for each in user_ids if each != user_id}
        for each in others:
            _check_user(each)
        if len(others) + 1 > self._limits.members:
            raise ConversationFull(
                f"A conversation has at most {self._limits.members} members.",
                limit=self._limits.members,
            )
        return await self._create(ConversationKind.GROUP, title_of(title), user_id, others)

    async def of_user(
        self, user_id: UserId, *, cursor: str | None = None, limit: int = PAGE
    ) -> Page[Conversation]:
        """The user's conversations, the one created last first."""
        return await self._store.of_user(user_id, cursor=cursor, limit=max(1, min(limit, PAGE)))

    async def get(self, user_id: UserId, *, conversation_id: UUID) -> Conversation:
        """A conversation, for its members."""
        await self._member(conversation_id, user_id)
        return await self._conversation(conversation_id)

    async def members(self, user_id: UserId, *, conversation_id: UUID) -> Sequence[Member]:
        """Who is in a conversation, for its members, in the order they joined."""
        await self._member(conversation_id, user_id)
        return await self.members_of(conversation_id)

    async def members_of(self, conversation_id: UUID) -> Sequence[Member]:
        """Who is in a conversation, for a server."""
        await self._conversation(conversation_id)
        return (await self._store.members([conversation_id])).get(conversation_id, ())

    async def add_member(
        self, user_id: UserId, *, conversation_id: UUID, member_id: UserId
    ) -> Member:
        """Bring somebody into a group. Owners and admins may; doing it twice changes nothing."""
        await self._require(Role.ADMIN, user_id, conversation_id)
        _check_user(member_id)
        member = Member(conversation_id, member_id, Role.MEMBER, joined_at=self._clock.now())
        return await self._store.put_member(member, limit=self._limits.members)

    async def change_role(
        self, user_id: UserId, *, conversation_id: UUID, member_id: UserId, role: Role
    ) -> Member:
        """Give a member of a group another role. Owners may."""
        await self._require(Role.OWNER, user_id, conversation_id)
        _check_user(member_id)
        changed = await self._store.change_member(conversation_id, member_id, role=role)
        if changed is None:
            raise MemberNotFound("This user is not in the conversation.")
        return changed

    async def remove_member(
        self, user_id: UserId, *, conversation_id: UUID, member_id: UserId
    ) -> None:
        """Put a member out of a group, or leave it.

        Everybody may leave; owners put out anybody, admins those without a role of their own.
        """
        own = await self._require(Role.MEMBER, user_id, conversation_id)
        _check_user(member_id)
        if member_id != user_id:
            await self._check_may_remove(own, member_id)
        removal = member_removed(conversation_id, member_id)
        if not await self._store.remove_member(conversation_id, member_id, then=[removal]):
            raise MemberNotFound("This user is not in the conversation.")
        self._bus.publish([publication_of_order(_end_of(conversation_id, member_id))])

    async def mute(self, user_id: UserId, *, conversation_id: UUID, muted: bool) -> Member:
        """Ask for no more notices about a conversation, or for notices again."""
        changed = await self._store.change_member(conversation_id, user_id, muted=muted)
        if changed is None:
            raise _not_found()
        return changed

    async def _create(
        self,
        kind: ConversationKind,
        title: str,
        user_id: UserId,
        others: dict[UserId, Role],
    ) -> Conversation:
        now = self._clock.now()
        conversation = Conversation(new_id(now), kind, title, created_by=user_id, created_at=now)
        # Neither side of a direct conversation stands above the other.
        role = Role.MEMBER if kind is ConversationKind.DIRECT else Role.OWNER
        members = [
            Member(conversation.id, each, each_role, joined_at=now)
            for each, each_role in {user_id: role, **others}.items()
        ]
        return await self._store.create(conversation, members)

    async def _conversation(self, conversation_id: UUID) -> Conversation:
        conversation = await self._store.get(conversation_id)
        if conversation is None:
            raise _not_found()
        return conversation

    async def _member(self, conversation_id: UUID, user_id: UserId) -> Member:
        member = await self._store.member(conversation_id, user_id)
        if member is None:
            raise _not_found()
        return member

    async def _require(self, role: Role, user_id: UserId, conversation_id: UUID) -> Member:
        """The user's membership of a group, if their role is `role` or a higher one."""
        member = await self._member(conversation_id, user_id)
        if (await self._conversation(conversation_id)).kind is not ConversationKind.GROUP:
            raise NotAGroup("A direct conversation keeps its two members.")
        if _RANK[member.role] < _RANK[role]:
            raise RoleTooLow(f"This needs the role {role}.", role=str(role))
        return member

    async def _check_may_remove(self, own: Member, member_id: UserId) -> None:
        if own.role is Role.MEMBER:
            raise RoleTooLow("This needs the role admin.", role=str(Role.ADMIN))
        other = await self._store.member(own.conversation_id, member_id)
        if other is not None and own.role is Role.ADMIN and other.role is not Role.MEMBER:
            raise RoleTooLow("This needs the role owner.", role=str(Role.OWNER))


class Removals:
    """Tells every node once more who was removed: whoever was to tell them may have died."""

    def __init__(self, *, store: ConversationStore, bus: Bus) -> None:
        self._store = store
        self._bus = bus

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """Handle entries of the kind `member.removed`."""
        for entry in entries:
            removed = removed_of(entry.payload)
            # They may have come back since.
            if await self._store.member(removed.conversation_id, removed.user_id) is None:
                end = _end_of(removed.conversation_id, removed.user_id)
                self._bus.publish([publication_of_order(end)])
        return ()


_RANK = {Role.MEMBER: 0, Role.ADMIN: 1, Role.OWNER: 2}


def _end_of(conversation_id: UUID, user_id: UserId) -> Unsubscribe:
    channel = conversation_channel(conversation_id)
    return Unsubscribe(user_id=user_id, channel=channel, code=LEFT)


def _check_user(user_id: UserId) -> None:
    if not is_user_id(user_id):
        raise InvalidInput(
            "user_id", "must be 1 to 128 bytes of printable characters without white space"
        )


def _not_found() -> ConversationNotFound:
    return ConversationNotFound("There is no such conversation.")
