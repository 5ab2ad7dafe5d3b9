"""Cards: tasks are spoken of in their event's conversation, and both lead to each other."""

from collections.abc import Sequence
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal
from kernel.ids import UserId
from reminders.authority import Act, acting_for_user, check_sees, require, task_on
from reminders.card import SHOWN, Card, card_body
from reminders.card_ports import CardStore
from reminders.errors import NoConversation
from reminders.outside import Talks
from reminders.ports import CalendarStore


class Cards:
    """Who sees a task sees where it is spoken of; who is in that conversation, what."""

    def __init__(
        self, *, store: CardStore, calendar: CalendarStore, talks: Talks, clock: Clock
    ) -> None:
        self._store = store
        self._calendar = calendar
        self._talks = talks
        self._clock = clock

    async def link(self, principal: Principal, event_id: UUID, conversation_id: UUID) -> None:
        """Say in which conversation the event is spoken of: one that whoever says so is in."""
        require(principal, await self._calendar.sheet(event_id), Act.DECIDE)
        user = principal.user_id
        if user is not None and not await self._talks.is_in(conversation_id, user):
            raise NoConversation("There is no such conversation.")
        await self._store.link(event_id, conversation_id, now=self._clock.now())

    async def unlink(self, principal: Principal, event_id: UUID) -> None:
        """Take the event's conversation away. Doing so twice is harmless."""
        require(principal, await self._calendar.sheet(event_id), Act.DECIDE)
        await self._store.unlink(event_id)

    async def conversation(self, principal: Principal, event_id: UUID) -> UUID:
        """Where the event is spoken of."""
        require(principal, await self._calendar.sheet(event_id), Act.SEE)
        return await self._conversation(event_id)

    async def send(
        self,
        principal: Principal,
        event_id: UUID,
        task_id: UUID,
        *,
        text: str,
        idempotency_key: str,
        user_id: UserId | None = None,
    ) -> Card:
        """Speak of a task in the event's conversation, as a member of both.

        Sending again under the same key gives the first card, and mends what was cut short.
        """
        user = acting_for_user(principal, user_id)
        sheet = await self._calendar.sheet(event_id, task_id=task_id)
        require(principal, sheet, Act.SEE)
        task = task_on(principal, sheet)
        check_sees(sheet, task, user)
        conversation_id = await self._conversation(event_id)
        said = await self._talks.say(
            user, conversation_id, card_body(task, text), idempotency_key=idempotency_key
        )
        card = Card(
            conversation_id,
            said.offset,
            said.message_id,
            event_id,
            task_id,
            user,
            said.sent_at,
        )
        await self._store.add(card)
        return card

    async def of(self, principal: Principal, event_id: UUID, task_id: UUID) -> Sequence[Card]:
        """Where a task was spoken of, the last time first."""
        sheet = await self._calendar.sheet(event_id, task_id=task_id)
        require(principal, sheet, Act.SEE)
        task_on(principal, sheet)
        return await self._store.of(task_id, limit=SHOWN)

    async def _conversation(self, event_id: UUID) -> UUID:
        found = await self._store.conversation(event_id)
        if found is None:
            raise NoConversation("The event has no conversation.")
        return found
