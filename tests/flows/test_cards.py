"""A task is spoken of in its event's conversation, and both lead to each other."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kernel.errors import Refusal
from kernel.identity import Principal
from kernel.ids import UserId
from messaging.errors import ConversationNotFound
from reminders.errors import EventNotFound, NoConversation, RoleTooLow, TaskNotFound
from tests.support.clock import ManualClock
from tests.support.factories_reminders import server
from tests.support.rooms import Rooms, sandboxed

AMINA, BILAL, CELIA, DJAMILA, ELIAS = map(UserId, ("amina", "bilal", "célia", "djamila", "elias"))


@pytest.fixture
async def rooms(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Rooms]:
    async with Rooms(sandboxed(database_url, tmp_path), clock).open() as opened:
        yield opened


async def wedding(rooms: Rooms) -> tuple[Any, str]:
    """A task of an event, and the event's conversation. Célia, a guest, and Elias are not in it."""
    event = await rooms.ask("events.create", AMINA, title="زفاف", zone="Africa/Algiers")
    roles = ((BILAL, "collaborator"), (CELIA, "guest"), (ELIAS, "collaborator"))
    for user, role in roles:
        await rooms.ask("events.put_member", AMINA, event_id=event.id, user_id=user, role=role)
    task = await rooms.ask("tasks.create", AMINA, event_id=event.id, title="القاعة", due=None)
    conversation = await rooms.group(AMINA, BILAL)
    await rooms.ask(
        "events.link_conversation", AMINA, event_id=event.id, conversation_id=conversation
    )
    return task, conversation


def about(task: Any) -> dict[str, Any]:
    return {"event_id": task.event_id, "task_id": task.id}


async def test_a_comment_is_a_message_and_the_task_knows_where(rooms: Rooms):
    task, conversation = await wedding(rooms)

    card = await rooms.ask(
        "cards.send", BILAL, **about(task), text="C'est trop cher.", idempotency_key="k"
    )
    again = await rooms.ask(
        "cards.send", BILAL, **about(task), text="C'est trop cher.", idempotency_key="k"
    )
    await rooms.ask("cards.send", AMINA, **about(task), idempotency_key="k2")

    assert again == card
    found = (await rooms.ask("cards.list", BILAL, **about(task))).cards
    assert [(each.offset, each.user_id) for each in found] == [(2, AMINA), (1, BILAL)]
    page = await rooms.chat.messages.history(AMINA, conversation_id=card.conversation_id)
    told = [message.body.decode() for message in page]
    assert str(card.conversation_id) == conversation
    assert [str(task.id) in each and '"kind":"task"' in each for each in told] == [True, True]
    assert "C'est trop cher." in told[1]
    assert '"text":"القاعة"' in told[0]


async def test_who_may_do_what_with_an_events_conversation(rooms: Rooms):
    task, conversation = await wedding(rooms)
    theirs = await rooms.group(DJAMILA, CELIA)
    link = {"event_id": task.event_id, "conversation_id": conversation}
    event = {"event_id": task.event_id}
    card = {**about(task), "idempotency_key": "k"}
    matrix: list[tuple[str, UserId | Principal, dict[str, Any], type[Refusal] | None]] = [
        ("events.link_conversation", AMINA, link, None),
        ("events.link_conversation", AMINA, {**link, "conversation_id": theirs}, NoConversation),
        ("events.link_conversation", BILAL, link, RoleTooLow),
        ("events.link_conversation", DJAMILA, link, EventNotFound),
        ("events.link_conversation_for", server(), link, None),
        ("events.conversation", CELIA, event, None),
        ("events.conversation", DJAMILA, event, EventNotFound),
        ("cards.send", BILAL, card, None),
        ("cards.send", CELIA, card, TaskNotFound),
        ("cards.send", ELIAS, card, ConversationNotFound),
        ("cards.send", DJAMILA, card, EventNotFound),
        ("cards.send_for", server(), {**card, "user_id": AMINA}, None),
        ("cards.send", BILAL, {**card, "task_id": conversation}, TaskNotFound),
        ("cards.list", ELIAS, about(task), None),
        ("cards.list", CELIA, about(task), TaskNotFound),
        ("cards.list", DJAMILA, about(task), EventNotFound),
        ("events.unlink_conversation", BILAL, event, RoleTooLow),
        ("events.unlink_conversation", AMINA, event, None),
        ("cards.send", BILAL, {**card, "idempotency_key": "k2"}, NoConversation),
        ("events.conversation", AMINA, event, NoConversation),
    ]
    for what, who, words, refusal in matrix:
        raised: type[Refusal] | None = None
        try:
            await rooms.ask(what, who, **words)
        except Refusal as error:
            raised = type(error)
        assert raised is refusal, (what, who)
