"""What reminders tell open apps, through messaging."""

from uuid import UUID

from kernel.ids import UserId
from kernel.outbox import Entry
from messaging.channels.names import event_channel
from messaging.channels.namespaces import Namespaces
from messaging.facts import event_left
from messaging.publishing.publishing import Publishing, Words


class LiveNews:
    """Fulfils reminders' `Live`."""

    def __init__(self, publishing: Publishing, namespaces: Namespaces) -> None:
        self._publishing = publishing
        self._namespaces = namespaces

    async def tell_user(self, user_id: UserId, said: bytes) -> None:
        await self._publishing.publish(self._namespaces.personal_channel(user_id), Words(said))

    async def tell_event(self, event_id: UUID, said: bytes, *, key: str) -> None:
        words = Words(said, idempotency_key=key)
        await self._publishing.publish(event_channel(event_id), words)

    def leaving(self, event_id: UUID, user_id: UserId) -> Entry:
        return event_left(event_id, user_id)
