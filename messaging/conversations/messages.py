"""Messages: sending them and reading them back."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.ids import UserId, is_user_id, new_id
from kernel.outbox import Entry
from kernel.workers import Pulse
from messaging.conversations.bodies import MessageLimits, preview_of, text_of
from messaging.errors import ConversationNotFound, NotAMember
from messaging.facts import message_sent
from messaging.ports import ConversationStore, MessageStore
from messaging.publications import publication_of
from messaging.types import Draft, Message

PAGE = 100
"""Messages in one page of history, at most."""

KEY_CHARACTERS = 64


class Messages:
    """What members do with a conversation's log."""

    def __init__(
        self,
        *,
        store: MessageStore,
        conversations: ConversationStore,
        bus: Bus,
        clock: Clock,
        limits: MessageLimits,
        relaying: Pulse | None = None,
    ) -> None:
        """`relaying` wakes the relay of this process, if there is one."""
        self._store = store
        self._conversations = conversations
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._relaying = relaying

    async def send(
        self, sender_id: UserId, *, conversation_id: UUID, body: bytes, idempotency_key: str
    ) -> Message:
        """Append a message of a member and tell everyone who is subscribed.

        Sending again with the same key gives the first message. To somebody who is not in the
        conversation it does not exist.
        """
        try:
            return await self.send_as(
                sender_id,
                conversation_id=conversation_id,
                body=body,
                idempotency_key=idempotency_key,
            )
        except NotAMember:
            raise _not_found() from None

    async def send_as(
        self, sender_id: UserId, *, conversation_id: UUID, body: bytes, idempotency_key: str
    ) -> Message:
        """The same for a server that speaks for a user: it may know why it was refused."""
        if not is_user_id(sender_id):
            raise InvalidInput("sender_id", "must be 1 to 128 printable bytes without white space")
        _check_key(idempotency_key)
        preview = preview_of(text_of(body, self._limits))
        now = self._clock.now()
        draft = Draft(
            id=new_id(now),
            conversation_id=conversation_id,
            sender_id=sender_id,
            body=body,
            idempotency_key=idempotency_key,
            sent_at=now,
        )
        # Nothing may wait before this: here messages take their places in the log.
        message = await self._store.append(draft, then=partial(_message_sent, preview=preview))
        if self._relaying is not None:
            self._relaying.beat()
        # The log is durable by now. A publication lost here is found again by its offset.
        epoch = await self._store.epoch()
        self._bus.publish([publication_of(message, epoch=epoch)])
        return message

    async def history(
        self,
        user_id: UserId,
        *,
        conversation_id: UUID,
        before: int | None = None,
        limit: int = PAGE,
    ) -> Sequence[Message]:
        """A page of the log for a member, newest first, from before an offset or from the end."""
        await self._check_member(user_id, conversation_id)
        return await self._store.before(
            conversation_id, offset=before, limit=max(1, min(limit, PAGE))
        )

    async def since(
        self, user_id: UserId, *, conversation_id: UUID, offset: int, limit: int = PAGE
    ) -> Sequence[Message]:
        """A page of the log for a member, oldest first, from after an offset."""
        await self._check_member(user_id, conversation_id)
        return await self._store.since(
            conversation_id, offset=offset, limit=max(1, min(limit, PAGE))
        )

    async def epoch(self) -> str:
        """Names this life of the logs; offsets are comparable within it."""
        return await self._store.epoch()

    async def _check_member(self, user_id: UserId, conversation_id: UUID) -> None:
        if await self._conversations.member(conversation_id, user_id) is None:
            raise _not_found()


def _message_sent(message: Message, *, preview: str) -> Sequence[Entry]:
    return [message_sent(message, preview=preview)]


def _check_key(key: str) -> None:
    if not (0 < len(key) <= KEY_CHARACTERS and key.isprintable()):
        raise InvalidInput("idempotency_key", f"must be 1 to {KEY_CHARACTERS} printable characters")


def _not_found() -> ConversationNotFound:
    return ConversationNotFound("There is no such conversation.")
