"""Messaging's facts: what the outbox is told once something was committed. Pure."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from kernel.ids import UserId
from kernel.outbox import Entry
from messaging.channels.names import conversation_channel, event_channel, leaving_channel
from messaging.types import Message

MESSAGE_SENT = "message.sent"
MEMBER_REMOVED = "member.removed"
USER_VANISHED = "user.vanished"
EVENT_LEFT = "event.left"


class MessageSent(msgspec.Struct, frozen=True, kw_only=True):
    """A message was stored. It says enough to tell people who are away, without reading it."""

    conversation_id: UUID
    message_id: UUID
    offset: int
    sender_id: UserId
    preview: str


class Missed(NamedTuple):
    """A message that users may not have seen."""

    fact: MessageSent
    sent_at: datetime
    title: str
    """Of the conversation."""
    user_ids: tuple[UserId, ...]


class MemberRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A user left a conversation, or was put out of it."""

    conversation_id: UUID
    user_id: UserId


class EventLeft(msgspec.Struct, frozen=True, kw_only=True):
    """A user is not in an event any more."""

    event_id: UUID
    user_id: UserId


class UserVanished(msgspec.Struct, frozen=True, kw_only=True):
    """A user's connection ended without a word; they were certainly there at `seen_at`."""

    user_id: UserId
    seen_at: datetime


def message_sent(message: Message, *, preview: str) -> Entry:
    """The entry of a new message. It also tells nodes how far the log has grown."""
    fact = MessageSent(
        conversation_id=message.conversation_id,
        message_id=message.id,
        offset=message.offset,
        sender_id=message.sender_id,
        preview=preview,
    )
    return Entry(
        kind=MESSAGE_SENT,
        payload=msgspec.json.encode(fact),
        channel=conversation_channel(message.conversation_id),
        offset=message.offset,
    )


def member_removed(conversation_id: UUID, user_id: UserId) -> Entry:
    """The entry of a removal. It also tells nodes to look at who listens there."""
    fact = MemberRemoved(conversation_id=conversation_id, user_id=user_id)
    return Entry(
        kind=MEMBER_REMOVED,
        payload=msgspec.json.encode(fact),
        channel=leaving_channel(conversation_channel(conversation_id)),
        offset=1,
    )


def event_left(event_id: UUID, user_id: UserId) -> Entry:
    """The entry of a user who left an event. It also tells nodes to look at who listens there."""
    return Entry(
        kind=EVENT_LEFT,
        payload=msgspec.json.encode(EventLeft(event_id=event_id, user_id=user_id)),
        channel=leaving_channel(event_channel(event_id)),
        offset=1,
    )


def user_vanished(user_id: UserId, seen_at: datetime, *, due_at: datetime | None = None) -> Entry:
    """The entry of somebody who vanished."""
    fact = UserVanished(user_id=user_id, seen_at=seen_at)
    return Entry(kind=USER_VANISHED, payload=msgspec.json.encode(fact), due_at=due_at)


def sent_of(payload: bytes) -> MessageSent:
    """The new message that an entry tells of."""
    return _sent.decode(payload)


def removed_of(payload: bytes) -> MemberRemoved:
    """The removal that an entry tells of."""
    return _removed.decode(payload)


def event_left_of(payload: bytes) -> EventLeft:
    """Who left which event, as an entry tells it."""
    return _event_left.decode(payload)


def vanished_of(payload: bytes) -> UserVanished:
    """The vanishing that an entry tells of."""
    return _vanished.decode(payload)


_sent = msgspec.json.Decoder(MessageSent)
_removed = msgspec.json.Decoder(MemberRemoved)
_event_left = msgspec.json.Decoder(EventLeft)
_vanished = msgspec.json.Decoder(UserVanished)
