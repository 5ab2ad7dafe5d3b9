"""From a reminder on two phones to the button that was tapped on one of them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from kernel.identity import Principal, Scope
from kernel.ids import UserId
from messaging.errors import TokenRevoked
from tests.support.clock import ManualClock
from tests.support.rooms import Rooms, address, sandboxed

AMINA = UserId("amina")
OPERATOR = Principal(key_id=uuid4(), scopes=frozenset(Scope))
NOBODY = Principal(user_id=UserId(""))
BUTTONS = ["done", "snooze_1_hour", "snooze_tomorrow"]


@pytest.fixture
async def rooms(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Rooms]:
    async with Rooms(sandboxed(database_url, tmp_path), clock).open() as opened:
        yield opened


async def due_task(rooms: Rooms, clock: ManualClock, *, wait: bool = True) -> Any:
    """A task of which Amina is reminded now, or in eight days."""
    event = await rooms.ask(
        "events.create", AMINA, title="زفاف", zone="Africa/Algiers", day="2026-03-10"
    )
    due = {"kind": "event"}
    task = await rooms.ask("tasks.create", AMINA, event_id=event.id, title="القاعة", due=due)
    await rooms.ask(
        "rules.put",
        AMINA,
        event_id=event.id,
        rule_id=uuid4(),
        task_id=task.id,
        lead={"kind": "calendar", "days": 1, "at": "09:00"},
    )
    assert await rooms.work() == []
    if wait:
        clock.move(days=8)
    return task


async def test_buttons_reach_both_phones_and_done_on_one_takes_it_back_from_the_other(
    rooms: Rooms, clock: ManualClock
):
    phone = await rooms.phone(AMINA, 1)
    await rooms.iphone(AMINA, 2)
    task = await due_task(rooms, clock)

    android, apple = sorted(await rooms.work(), key=lambda each: each.provider, reverse=True)

    data = msgspec.json.decode(android.payload)["message"]["data"]
    payload = msgspec.json.decode(apple.payload)
    assert [each["id"] for each in json.loads(data["actions"])] == BUTTONS
    assert json.loads(data["actions"])[0]["title"] == "Fait"
    assert json.loads(payload["actions"])[0]["title"] == "تمّ"
    assert payload["aps"]["category"] == "TASK_REMINDER"
    assert payload["aps"]["mutable-content"] == 1
    assert payload["action_token"] == data["action_token"]

    acted = await rooms.ask(
        "firings.act",
        NOBODY,
        firing=data["firing"],
        token=data["action_token"],
        action="done",
        action_id=uuid4(),
        device_id=phone.id,
    )

    assert acted.outcome == "applied"
    assert (await rooms.ask("tasks.get", AMINA, event_id=task.event_id, task_id=task.id)).done_at
    (taken_back,) = await rooms.work()
    assert taken_back.provider == "apns"
    silent = msgspec.json.decode(taken_back.payload)
    assert silent["aps"] == {"content-available": 1}
    assert silent["recall"] == data["firing"]
    assert taken_back.headers["apns-collapse-id"] == apple.headers["apns-collapse-id"]


async def test_an_operator_ends_a_users_tokens_and_with_them_those_of_reminders(
    rooms: Rooms, clock: ManualClock
):
    await rooms.phone(AMINA, 1)
    await due_task(rooms, clock)
    (arrival,) = await rooms.work()
    data = msgspec.json.decode(arrival.payload)["message"]["data"]
    clock.move(seconds=1)
    await rooms.ask("tokens.invalidate", OPERATOR, user_id=AMINA)
    await rooms.work()

    with pytest.raises(TokenRevoked):
        await rooms.ask(
            "firings.act",
            NOBODY,
            firing=data["firing"],
            token=data["action_token"],
            action="done",
            action_id=uuid4(),
        )


async def test_done_before_the_push_left_means_it_never_does(rooms: Rooms, clock: ManualClock):
    await rooms.phone(AMINA, 1)
    task = await due_task(rooms, clock)
    (scheduler,) = (each for each in rooms.ground.workers if each.name == "scheduler")
    assert await scheduler.step() == 1

    await rooms.ask("tasks.complete", AMINA, event_id=task.event_id, task_id=task.id)

    assert await rooms.work() == []
    assert address(1) not in {each.address for each in rooms.sandbox.arrivals.after(0)}


async def test_a_phone_that_shows_it_by_itself_is_not_pushed_and_explain_says_so(
    rooms: Rooms, clock: ManualClock
):
    phone = await rooms.phone(AMINA, 1)
    await rooms.phone(AMINA, 2)
    task = await due_task(rooms, clock, wait=False)
    clock.move(days=4)
    coming = await rooms.ask("alarms.list", AMINA, device_id=phone.id)
    assert [each.task for each in coming.alarms] == ["القاعة"]
    await rooms.ask(
        "alarms.acknowledge",
        AMINA,
        device_id=phone.id,
        alarms=[each.id for each in coming.alarms],
        until=coming.until,
    )
    # Another's change of what it holds wakes it, once.
    other = await rooms.ask("tasks.create", AMINA, event_id=task.event_id, title="x", due=None)
    await rooms.ask("tasks.delete", AMINA, event_id=task.event_id, task_id=other.id)
    assert await rooms.work() == []

    clock.move(days=4)
    (arrival,) = await rooms.work()

    assert arrival.address == address(2)
    explained = await rooms.ask("pushes.explain", AMINA, id=arrival.push_id)
    reasons = {str(each.device_id): each.reason for each in explained.devices}
    assert reasons[str(phone.id)] == "local_alarm"


async def test_a_phone_is_woken_when_what_it_shows_by_itself_is_no_longer_so(
    rooms: Rooms, clock: ManualClock
):
    phone = await rooms.phone(AMINA, 1)
    task = await due_task(rooms, clock, wait=False)
    coming = await rooms.ask("alarms.list", AMINA, device_id=phone.id)
    await rooms.ask(
        "alarms.acknowledge",
        AMINA,
        device_id=phone.id,
        alarms=[each.id for each in coming.alarms],
        until=coming.until,
    )

    await rooms.ask("tasks.complete", AMINA, event_id=task.event_id, task_id=task.id)

    (arrival,) = await rooms.work()
    message = msgspec.json.decode(arrival.payload)["message"]
    assert message["data"]["sync"] == "alarms"
    assert "notification" not in message
    assert (await rooms.ask("alarms.list", AMINA, device_id=phone.id)).held.stale_at == clock.now()
