"""What can be asked about an event's conversation and the cards in it, and its bodies."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.operations import AnyOperation, Nothing
from reminders import errors
from reminders.card import Card
from reminders.cards import Cards
from reminders.limits import checked_user
from reminders.offers import both
from reminders.schemas import OneEvent, OneTask, Reply, User

_EVENT = "/events/{event_id}"
_CARDS = f"{_EVENT}/tasks/{{task_id}}/cards"
_SEEING = (errors.EventNotFound, errors.RoleTooLow)


class LinkConversation(OneEvent, frozen=True, kw_only=True):
    conversation_id: UUID


class SendCard(OneTask, frozen=True, kw_only=True):
    """A comment on a task; without a `text` the message says its title."""

    idempotency_key: Annotated[str, Meta(min_length=1, max_length=64)]
    text: Annotated[str, Meta(max_length=8000)] = ""


class SendCardFor(SendCard, frozen=True, kw_only=True):
    user_id: User


class ConversationAnswer(Reply, frozen=True, kw_only=True):
    conversation_id: UUID


class CardBody(Reply, frozen=True, kw_only=True):
    """Where a task was spoken of: the message has the task's ids as its `card`."""

    conversation_id: UUID
    offset: int
    message_id: UUID
    user_id: str
    sent_at: datetime


class CardsAnswer(Reply, frozen=True, kw_only=True):
    cards: list[CardBody]


def operations(cards: Cards) -> list[AnyOperation]:
    """Users and servers may ask the same."""

    async def link(principal: Principal, asked: LinkConversation) -> ConversationAnswer:
        await cards.link(principal, asked.event_id, asked.conversation_id)
        return ConversationAnswer(conversation_id=asked.conversation_id)

    async def unlink(principal: Principal, asked: OneEvent) -> Nothing:
        await cards.unlink(principal, asked.event_id)
        return Nothing()

    async def found(principal: Principal, asked: OneEvent) -> ConversationAnswer:
        return ConversationAnswer(
            conversation_id=await cards.conversation(principal, asked.event_id)
        )

    async def send(principal: Principal, asked: SendCard) -> CardBody:
        user = asked.user_id if isinstance(asked, SendCardFor) else None
        return _body(
            await cards.send(
                principal,
                asked.event_id,
                asked.task_id,
                text=asked.text,
                idempotency_key=asked.idempotency_key,
                user_id=None if user is None else checked_user(UserId(user)),
            )
        )

    async def listed(principal: Principal, asked: OneTask) -> CardsAnswer:
        return CardsAnswer(
            cards=[_body(each) for each in await cards.of(principal, asked.event_id, asked.task_id)]
        )

    conversation = f"{_EVENT}/conversation"
    return [
        *both(
            "events.link_conversation",
            "PUT",
            conversation,
            "Say in which conversation an event is spoken of.",
            LinkConversation,
            ConversationAnswer,
            link,
            (*_SEEING, errors.EventCancelled, errors.NoConversation),
        ),
        *both(
            "events.conversation",
            "GET",
            conversation,
            "In which conversation an event is spoken of.",
            OneEvent,
            ConversationAnswer,
            found,
            (*_SEEING, errors.NoConversation),
        ),
        *both(
            "events.unlink_conversation",
            "DELETE",
            conversation,
            "Say that an event is spoken of nowhere.",
            OneEvent,
            Nothing,
            unlink,
            (*_SEEING, errors.EventCancelled),
        ),
        *both(
            "cards.send",
            "POST",
            _CARDS,
            "Comment on a task, in its event's conversation.",
            SendCard,
            CardBody,
            send,
            (
                InvalidInput,
                *_SEEING,
                errors.TaskNotFound,
                errors.NotInEvent,
                errors.NoConversation,
            ),
            takes_for=SendCardFor,
            status=201,
        ),
        *both(
            "cards.list",
            "GET",
            _CARDS,
            "Where a task was spoken of, the last time first.",
            OneTask,
            CardsAnswer,
            listed,
            (*_SEEING, errors.TaskNotFound),
        ),
    ]


def _body(card: Card) -> CardBody:
    return CardBody(
        conversation_id=card.conversation_id,
        offset=card.offset,
        message_id=card.message_id,
        user_id=card.user_id,
        sent_at=card.sent_at,
    )
