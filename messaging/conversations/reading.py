"""Reading: how far members have read, and that they need not be told of it any more."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Withdrawal, withdrawal_entry
from kernel.outbox import Entry
from kernel.workers import Pulse
from messaging.errors import ConversationNotFound


class ReadMarks(Protocol):
    """How far members have read. Every method is one whole transaction."""

    async def read(
        self,
        conversation_id: UUID,
        user_id: UserId,
        *,
        offset: int,
        then: Callable[[int], Sequence[Entry]],
    ) -> int | None:
        """Move a member's mark up to `offset`, never back and never beyond the last message.

        Where it is now, or None if there is no such member. The entries of `then` are written
        with it if it moved.
        """
        ...


class Reading:
    """What members say of their reading. `relaying` wakes the relay of this process."""

    def __init__(self, *, store: ReadMarks, relaying: Pulse) -> None:
        self._store = store
        self._relaying = relaying

    async def read(
        self,
        user_id: UserId,
        *,
        conversation_id: UUID,
        offset: int,
        device_id: UUID | None = None,
    ) -> int:
        """The user has read up to an offset, on that device; how far they have read now.

        The user's other devices take back what they show of it.
        """
        mark = await self._store.read(
            conversation_id,
            user_id,
            offset=offset,
            then=partial(_withdrawn, conversation_id, user_id, device_id),
        )
        if mark is None:
            raise ConversationNotFound("There is no such conversation.")
        self._relaying.beat()
        return mark


def _withdrawn(
    conversation_id: UUID, user_id: UserId, device_id: UUID | None, mark: int
) -> Sequence[Entry]:
    return [
        withdrawal_entry(
            Withdrawal(
                user_id=user_id, thread=str(conversation_id), place=mark, device_id=device_id
            )
        )
    ]
