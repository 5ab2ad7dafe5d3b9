"""What the operations of messaging take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.ids import UserId
from messaging.types import Conversation, ConversationKind, Member, Message, Role

PageSize = Annotated[int, Meta(ge=1, le=100)]
Offset = Annotated[int, Meta(ge=0, le=2**53 - 1)]
UserIds = Annotated[list[UserId], Meta(max_length=10_000)]


class Taken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Input: a field nobody knows is a mistake that its sender wants to hear of."""


class OpenConversation(Taken, frozen=True):
    """`direct` with exactly one other user, or a `group` that the opener owns."""

    kind: ConversationKind
    user_ids: UserIds
    title: str = ""


class OpenConversationFor(Taken, frozen=True):
    """The same on behalf of a user."""

    owner_id: UserId
    kind: ConversationKind
    user_ids: UserIds
    title: str = ""


class ListConversations(Taken, frozen=True):
    cursor: str | None = None
    limit: PageSize = 100


class OneConversation(Taken, frozen=True):
    conversation_id: UUID


class OneMember(Taken, frozen=True):
    conversation_id: UUID
    user_id: UserId


class ChangeRole(Taken, frozen=True):
    conversation_id: UUID
    user_id: UserId
    role: Role


class Mute(Taken, frozen=True):
    conversation_id: UUID
    muted: bool


class SendMessage(Taken, frozen=True):
    """`body` is a JSON object that reaches everybody as it is; `text` in it is a string."""

    conversation_id: UUID
    idempotency_key: str
    body: msgspec.Raw


class SendMessageAs(Taken, frozen=True):
    """The same for a member."""

    conversation_id: UUID
    sender_id: UserId
    idempotency_key: str
    body: msgspec.Raw


class ReadHistory(Taken, frozen=True):
    """Newest first from before `before` or from the end; oldest first from after `after`."""

    conversation_id: UUID
    before: Offset | None = None
    after: Offset | None = None
    limit: PageSize = 50


class ConversationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation; `top` is the offset of its newest message."""

    id: UUID
    kind: ConversationKind
    title: str
    created_by: UserId
    created_at: datetime
    top: int


class ConversationsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of conversations; without a `cursor` it is the last one."""

    conversations: list[ConversationAnswer]
    cursor: str | None


class MemberAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A member. Whether they have muted the conversation is theirs to know."""

    user_id: UserId
    role: Role
    joined_at: datetime


class MembersAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody in a conversation, in the order they joined."""

    members: list[MemberAnswer]


class MuteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the user has muted the conversation."""

    muted: bool


class MessageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A message, with its place in the log."""

    id: UUID
    conversation_id: UUID
    offset: int
    sender_id: UserId
    body: msgspec.Raw
    idempotency_key: str
    sent_at: datetime


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Some messages, and the epoch in which their offsets count."""

    messages: list[MessageAnswer]
    epoch: str


def conversation_answer(conversation: Conversation) -> ConversationAnswer:
    return ConversationAnswer(
        id=conversation.id,
        kind=conversation.kind,
        title=conversation.title,
        created_by=conversation.created_by,
        created_at=conversation.created_at,
        top=conversation.top,
    )


def member_answer(member: Member) -> MemberAnswer:
    return MemberAnswer(user_id=member.user_id, role=member.role, joined_at=member.joined_at)


def message_answer(message: Message) -> MessageAnswer:
    return MessageAnswer(
        id=message.id,
        conversation_id=message.conversation_id,
        offset=message.offset,
        sender_id=message.sender_id,
        body=msgspec.Raw(message.body),
        idempotency_key=message.idempotency_key,
        sent_at=message.sent_at,
    )
