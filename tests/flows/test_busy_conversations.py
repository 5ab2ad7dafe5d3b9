"""Busy conversations, reading and quiet hours: from what people do to what arrives on phones."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from kernel.adapters.database import DatabaseOptions
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from notifications.sandbox.options import SandboxOptions
from notifications.sandbox.record import Arrival
from server.wiring.groups import Settings
from server.wiring.preparing import prepare
from tests.support.clock import ManualClock
from tests.support.rooms import Rooms, address
from tests.support.tokens import TOKEN_OPTIONS

AMINA, KARIM = map(UserId, ("amina", "karim"))
OPERATOR = Principal(key_id=uuid4(), scopes=frozenset(Scope))
ISOLATES = dict.fromkeys([0x2068, 0x2069])
IPHONE = f"{3:064x}"


@pytest.fixture
async def rooms(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Rooms]:
    plain = Settings()
    settings = replace(
        plain,
        server=replace(plain.server, push="sandbox"),
        database=DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"),
        tokens=TOKEN_OPTIONS,
        sandbox=SandboxOptions(
            directory=str(tmp_path / "sandbox"),
            page_port=0,
            fcm_port=0,
            apns_port=0,
            apns_sandbox_port=0,
            webpush_port=0,
        ),
    )
    async with Rooms(prepare(settings), clock).open() as opened:
        yield opened


def told(arrivals: list[Arrival]) -> dict[str, str]:
    """The body that each address was sent; each has one arrival."""
    assert len({each.address for each in arrivals}) == len(arrivals)
    return {
        each.address: each.body.replace("\u2068", "").replace("\u2069", "") for each in arrivals
    }


def payload(arrival: Arrival) -> Any:
    return msgspec.json.decode(arrival.payload)


async def test_a_busy_conversation_is_told_at_once_and_then_once_with_a_count(
    rooms: Rooms, clock: ManualClock
):
    await rooms.phone(KARIM, 1)
    await rooms.phone(KARIM, 2, "ar-DZ")
    conversation = await rooms.group(AMINA, KARIM)
    await rooms.say(AMINA, conversation, "un")
    assert told(await rooms.work()) == {address(1): "amina : un", address(2): "amina: un"}

    for words in ("deux", "trois", "quatre"):
        clock.move(seconds=5)
        await rooms.say(AMINA, conversation, words)
        assert await rooms.work() == []
    clock.move(seconds=15)

    assert told(await rooms.work()) == {
        address(1): "3 nouveaux messages · amina : quatre",
        address(2): "3 رسائل جديدة · amina: quatre",
    }
    clock.move(hours=2)
    assert await rooms.work() == []


async def test_conversations_do_not_wait_for_each_other(rooms: Rooms):
    await rooms.phone(KARIM, 1)
    one, other = await rooms.group(AMINA, KARIM), await rooms.group(AMINA, KARIM)

    await rooms.say(AMINA, one, "ici")
    await rooms.say(AMINA, other, "là")

    said = {each.body.translate(ISOLATES) for each in await rooms.work()}
    assert said == {"amina : ici", "amina : là"}


async def test_pushes_carry_thread_tag_collapse_id_and_an_absolute_badge(
    rooms: Rooms, clock: ManualClock
):
    await rooms.phone(KARIM, 1)
    await rooms.iphone(KARIM, 3)
    conversation = await rooms.group(AMINA, KARIM)
    for words in ("un", "deux"):
        await rooms.say(AMINA, conversation, words)
        clock.move(seconds=30)

    arrivals = {each.address: each for each in await rooms.work()}

    android = payload(arrivals[address(1)])["message"]["android"]
    assert android["notification"] == {
        "tag": conversation,
        "channel_id": "chat",
        "notification_count": 2,
    }
    apple = payload(arrivals[IPHONE])["aps"]
    assert (apple["badge"], apple["thread-id"]) == (2, conversation)
    assert arrivals[IPHONE].headers["apns-collapse-id"] == conversation


async def test_what_waited_carries_the_badge_of_the_moment_it_leaves(
    rooms: Rooms, clock: ManualClock
):
    """Another conversation went on meanwhile; its badge must not be set back."""
    await rooms.iphone(KARIM, 3)
    one, other = await rooms.group(AMINA, KARIM), await rooms.group(AMINA, KARIM)
    for conversation in (one, one, other):
        await rooms.say(AMINA, conversation, "salam")
        await rooms.work()

    clock.move(seconds=30)

    (waited,) = await rooms.work()
    assert payload(waited)["aps"]["thread-id"] == one
    assert payload(waited)["aps"]["badge"] == 3


async def test_what_was_read_elsewhere_is_taken_back(rooms: Rooms):
    phone = await rooms.phone(KARIM, 1)
    await rooms.phone(KARIM, 2)
    await rooms.iphone(KARIM, 3)
    conversation = await rooms.group(AMINA, KARIM)
    await rooms.say(AMINA, conversation, "un")
    assert len(await rooms.work()) == 3

    await rooms.ask(
        "conversations.read", KARIM, conversation_id=conversation, offset=1, device_id=phone.id
    )

    arrivals = {each.address: each for each in await rooms.work()}
    assert set(arrivals) == {address(2), IPHONE}
    message = payload(arrivals[address(2)])["message"]
    assert message["data"]["dismiss"] == conversation
    assert "notification" not in message
    assert message["android"]["priority"] == "NORMAL"
    apple = payload(arrivals[IPHONE])
    assert apple["aps"] == {"badge": 0, "content-available": 1}
    assert (apple["dismiss"], apple["read_to"]) == (conversation, "1")
    # Reading the same again, or less, takes nothing back.
    await rooms.ask("conversations.read", KARIM, conversation_id=conversation, offset=1)
    assert await rooms.work() == []


async def test_what_was_read_before_it_was_told_is_never_told(rooms: Rooms, clock: ManualClock):
    await rooms.phone(KARIM, 1)
    conversation = await rooms.group(AMINA, KARIM)
    for words in ("un", "deux", "trois"):
        await rooms.say(AMINA, conversation, words)
        await rooms.work()

    await rooms.ask("conversations.read", KARIM, conversation_id=conversation, offset=3)
    await rooms.work()
    clock.move(minutes=5)

    assert await rooms.work() == []
    await rooms.say(AMINA, conversation, "quatre")
    (arrived,) = await rooms.work()
    assert "quatre" in arrived.body
    android = payload(arrived)["message"]["android"]
    assert android["notification"]["notification_count"] == 1


async def test_a_night_of_messages_is_one_push_per_conversation_in_the_morning(
    rooms: Rooms, clock: ManualClock
):
    await rooms.phone(KARIM, 1)
    await rooms.ask(
        "preferences.put_quiet_hours",
        KARIM,
        windows=[{"start": "08:30", "end": "17:00"}],
        also=["chat"],
    )
    conversation = await rooms.group(AMINA, KARIM)
    # It is nine in Algiers; a push about a message matters for an hour.
    clock.move(hours=7, minutes=15)
    for number in range(6):
        await rooms.say(AMINA, conversation, f"message {number}")
        clock.move(minutes=5)
        assert await rooms.work() == []

    clock.move(minutes=15)

    assert told(await rooms.work()) == {
        address(1): "6 nouveaux messages · amina : message 5",
    }


async def test_why_is_answered_for_what_happened_and_for_what_might(
    rooms: Rooms, clock: ManualClock
):
    await rooms.phone(KARIM, 1)
    sent = await rooms.ask(
        "pushes.send",
        OPERATOR,
        user_ids=[KARIM],
        idempotency_key="k",
        category="booking",
        variables={"title": "Salle", "body": "réservée"},
    )
    await rooms.work()
    await rooms.ask("preferences.choose", KARIM, category="booking", enabled=False)

    happened = await rooms.ask("pushes.explain", KARIM, id=sent.notifications[KARIM])
    imagined = await rooms.ask("pushes.explain", KARIM, category="booking")
    night = datetime(2026, 3, 2, 1, tzinfo=UTC)
    asked = {"user_id": KARIM, "category": "marketing", "urgency": "marketing", "at": night}
    marketing = await rooms.ask("pushes.explain_for", OPERATOR, **asked)

    (on_phone,) = happened.devices
    assert (on_phone.push.state, on_phone.reason) == ("accepted", "opted_out")
    assert [each.reason for each in imagined.devices] == ["opted_out"]
    assert [each.reason for each in marketing.devices] == ["no_consent"]
    said = {each.rule: each.reason for each in marketing.devices[0].rules}
    assert (said["consent"], said["quiet_hours"]) == ("no_consent", "quiet_hours")
