"""Who may listen to which channel."""

from collections.abc import Mapping
from enum import Enum

from kernel.ids import UserId
from messaging.channels import conversation_of, user_of
from messaging.ports import ConversationStore, Membership
from messaging.rounds import Rounds


class Answer(Enum):
    """Whether a user may listen to a channel."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Access:
    """Conversations are for their members, a personal channel for its user.

    That a conversation exists is not for strangers to know: they are denied either way.
    """

    def __init__(self, conversations: ConversationStore) -> None:
        self._conversations = conversations
        # Looked up after it was asked: who is removed later is told by an order, and an order
        # finds every subscription that was being set up when it came.
        self._members = Rounds[Membership](conversations.memberships)

    async def may_listen(self, user_id: UserId, channel: str) -> Answer:
        """Whether the user may listen to the channel now."""
        owner = user_of(channel)
        if owner is not None:
            return Answer.ALLOWED if owner == user_id else Answer.DENIED
        conversation_id = conversation_of(channel)
        if conversation_id is None:
            return Answer.UNKNOWN
        is_member = await self._members.ask((conversation_id, user_id))
        return Answer.ALLOWED if is_member else Answer.DENIED

    async def strangers(
        self, listeners: Mapping[str, frozenset[UserId]]
    ) -> Mapping[str, frozenset[UserId]]:
        """Of those who listen to each conversation, the users who may not any more."""
        by_id = {
            conversation_id: channel
            for channel in listeners
            if (conversation_id := conversation_of(channel)) is not None
        }
        members = await self._conversations.members(list(by_id))
        gone: dict[str, frozenset[UserId]] = {}
        for conversation_id, channel in by_id.items():
            present = {member.user_id for member in members.get(conversation_id, ())}
            strangers = listeners[channel] - present
            if strangers:
                gone[channel] = strangers
        return gone

    async def users_of(self, channel: str) -> list[UserId]:
        """The users who may listen to a channel that exists."""
        owner = user_of(channel)
        if owner is not None:
            return [owner]
        conversation_id = conversation_of(channel)
        if conversation_id is None:
            return []
        members = await self._conversations.members([conversation_id])
        return [member.user_id for member in members.get(conversation_id, ())]
