"""What becomes of a draft that is appended, in the words that both databases share."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.errors import Refusal
from messaging.errors import ConversationNotFound, NotAMember
from messaging.types import Draft, Message


@dataclass(frozen=True, slots=True)
class Placed:
    """The message of a draft: a new one, or the one that its key named before."""

    message: Message
    is_new: bool


Fate = Placed | Refusal


def placed(draft: Draft, *, offset: int) -> Placed:
    """A draft got the next offset of its conversation."""
    message = Message(
        id=draft.id,
        conversation_id=draft.conversation_id,
        offset=offset,
        sender_id=draft.sender_id,
        body=draft.body,
        idempotency_key=draft.idempotency_key,
        sent_at=draft.sent_at,
    )
    return Placed(message, is_new=True)


def repeated(
    draft: Draft, first_id: UUID, offset: int, first_body: str, first_sent_at: datetime
) -> Placed:
    """A draft's sender used its key in this conversation before, for this message."""
    message = Message(
        id=first_id,
        conversation_id=draft.conversation_id,
        offset=offset,
        sender_id=draft.sender_id,
        body=first_body.encode(),
        idempotency_key=draft.idempotency_key,
        sent_at=first_sent_at,
    )
    return Placed(message, is_new=False)


def not_found() -> Refusal:
    """There is no such conversation."""
    return ConversationNotFound("There is no such conversation.")


def not_a_member() -> Refusal:
    """The sender is not in the conversation."""
    return NotAMember("The sender is not a member of this conversation.")
