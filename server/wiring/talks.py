"""What reminders say in conversations, through messaging."""

from uuid import UUID

from kernel.ids import UserId
from messaging.conversations.messages import Messages
from messaging.ports import ConversationStore
from reminders.outside import Spoken


class ChatTalks:
    """Fulfils reminders' `Talks`."""

    def __init__(self, messages: Messages, conversations: ConversationStore) -> None:
        self._messages = messages
        self._conversations = conversations

    async def is_in(self, conversation_id: UUID, user_id: UserId) -> bool:
        return await self._conversations.member(conversation_id, user_id) is not None

    async def say(
        self, user_id: UserId, conversation_id: UUID, body: bytes, *, idempotency_key: str
    ) -> Spoken:
        message = await self._messages.send(
            user_id, conversation_id=conversation_id, body=body, idempotency_key=idempotency_key
        )
        return Spoken(message.id, message.offset, message.sent_at)
