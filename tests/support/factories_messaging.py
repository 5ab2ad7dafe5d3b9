"""Valid messaging values, so that a test says only what it is about."""

from collections.abc import Iterable
from uuid import UUID

from kernel.ids import UserId, new_id
from kernel.outbox import Entry
from messaging.types import Conversation, ConversationKind, Draft, Member, Message, Role
from tests.support.clock import START

AMINA, KARIM, LINA, NOUR = map(UserId, ("amina", "karim", "lina", "nour"))


def group(title: str = "زفاف أمينة وكريم") -> Conversation:
    return Conversation(new_id(START), ConversationKind.GROUP, title, AMINA, START)


def direct() -> Conversation:
    return Conversation(new_id(START), ConversationKind.DIRECT, "", AMINA, START)


def member(there: Conversation, user_id: UserId, role: Role = Role.MEMBER) -> Member:
    return Member(there.id, user_id, role, joined_at=START)


def members(there: Conversation, *user_ids: UserId) -> list[Member]:
    """The first of a group owns it."""
    first = Role.MEMBER if there.kind is ConversationKind.DIRECT else Role.OWNER
    return [
        member(there, user_id, Role.MEMBER if number else first)
        for number, user_id in enumerate(user_ids)
    ]


def draft(
    conversation_id: UUID,
    *,
    sender_id: UserId = AMINA,
    key: str | None = None,
    body: bytes = b'{"text":"salam"}',
) -> Draft:
    """A draft with a key of its own unless it is given one."""
    draft_id = new_id(START)
    return Draft(draft_id, conversation_id, sender_id, body, key or str(draft_id), START)


def nothing(_: Message) -> Iterable[Entry]:
    """No consequences."""
    return ()


def noted(message: Message) -> Iterable[Entry]:
    """One consequence that names the message's place."""
    yield Entry(kind="noted", payload=b"%d" % message.offset)
