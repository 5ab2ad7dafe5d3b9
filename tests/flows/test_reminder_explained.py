"""Why somebody was reminded, followed to the phone and back: what became of each firing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from kernel.identity import Principal, Scope
from kernel.ids import UserId
from tests.support.clock import ManualClock
from tests.support.rooms import Rooms, sandboxed

AMINA = UserId("amina")
NOBODY = Principal(user_id=UserId(""))
OPERATOR = Principal(key_id=uuid4(), scopes=frozenset({Scope.REMINDERS}))


@pytest.fixture
async def rooms(
    sqlite_database_url: str, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[Rooms]:
    async with Rooms(sandboxed(sqlite_database_url, tmp_path), clock).open() as opened:
        yield opened


@pytest.fixture
async def anywhere(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Rooms]:
    """On each database."""
    async with Rooms(sandboxed(database_url, tmp_path), clock).open() as opened:
        yield opened


async def due_tasks(rooms: Rooms, clock: ManualClock, count: int = 1) -> list[Any]:
    """Tasks of one event of which Amina is reminded now."""
    event = await rooms.ask(
        "events.create", AMINA, title="زفاف", zone="Africa/Algiers", day="2026-03-10"
    )
    tasks = [
        await rooms.ask(
            "tasks.create", AMINA, event_id=event.id, title=f"القاعة {n}", due={"kind": "event"}
        )
        for n in range(count)
    ]
    lead = {"kind": "calendar", "days": 1, "at": "09:00"}
    await rooms.ask("rules.put", AMINA, event_id=event.id, rule_id=uuid4(), lead=lead)
    assert await rooms.work() == []
    clock.move(days=8)
    return tasks


async def explained(rooms: Rooms, task: Any) -> Any:
    found = await rooms.ask("firings.explain", AMINA, event_id=task.event_id, task_id=task.id)
    (settled,) = found.settled
    return settled


async def test_a_firing_is_followed_to_what_its_phone_said(anywhere: Rooms, clock: ManualClock):
    phone = await anywhere.phone(AMINA, 1)
    (task,) = await due_tasks(anywhere, clock)
    (arrival,) = await anywhere.work()
    clock.move(seconds=30)
    report_id = msgspec.json.decode(arrival.payload)["message"]["data"]["report_id"]
    for event in ("received", "opened"):
        report = {"report_id": report_id, "event": event}
        await anywhere.ask("reports.tell", NOBODY, reports=[report])

    settled = await explained(anywhere, task)

    assert (settled.outcome, settled.told.standing) == ("fired", "told")
    (push,) = settled.told.devices
    assert (str(push.push_id), push.device_id, push.platform) == (
        arrival.push_id,
        phone.id,
        "android",
    )
    assert push.state == "accepted"
    assert [each.verdict for each in push.attempts] == ["accepted"]
    assert [each.event for each in push.reports] == ["opened", "received"]
    assert all(each.at == clock.now() for each in push.reports)


async def test_what_was_told_together_is_found_from_each_of_them(
    anywhere: Rooms, clock: ManualClock
):
    await anywhere.phone(AMINA, 1)
    tasks = await due_tasks(anywhere, clock, 4)
    (arrival,) = await anywhere.work()

    found = [await explained(anywhere, task) for task in tasks]

    assert {str(push.push_id) for each in found for push in each.told.devices} == {arrival.push_id}
    assert {each.reason for each in found} == {"told with others"}


async def test_without_a_phone_it_is_told_and_that_is_said(rooms: Rooms, clock: ManualClock):
    (task,) = await due_tasks(rooms, clock)
    await rooms.work()

    settled = await explained(rooms, task)

    assert (settled.told.standing, settled.told.devices) == ("told", [])


async def test_what_a_relay_has_not_carried_yet_is_waiting(rooms: Rooms, clock: ManualClock):
    await rooms.phone(AMINA, 1)
    (task,) = await due_tasks(rooms, clock)
    # The scheduler lets it go off, and the relay puts it into words: the notice is on its way.
    for name in ("scheduler", "relay"):
        (worker,) = (each for each in rooms.workers if each.name == name)
        assert await worker.step() == 1

    settled = await explained(rooms, task)

    assert (settled.outcome, settled.told.standing) == ("fired", "waiting")


async def test_operators_are_told_the_same_of_anybody(rooms: Rooms, clock: ManualClock):
    await rooms.phone(AMINA, 1)
    (task,) = await due_tasks(rooms, clock)
    await rooms.work()

    told = await rooms.ask(
        "firings.explain_for", OPERATOR, event_id=task.event_id, task_id=task.id, user_id=AMINA
    )

    assert told.settled == [await explained(rooms, task)]


async def test_what_did_not_go_off_was_told_by_nothing(rooms: Rooms, clock: ManualClock):
    await rooms.ask("profile.put", AMINA, zone="Africa/Algiers", locale="ar", muted=True)
    (task,) = await due_tasks(rooms, clock)
    await rooms.work()

    settled = await explained(rooms, task)

    assert (settled.outcome, settled.told) == ("muted", None)


async def test_what_came_too_late_is_followed_to_the_digest_that_told_it(
    anywhere: Rooms, clock: ManualClock
):
    phone = await anywhere.phone(AMINA, 1)
    event = await anywhere.ask(
        "events.create", AMINA, title="زفاف", zone="Africa/Algiers", day="2026-03-10"
    )
    task = await anywhere.ask(
        "tasks.create", AMINA, event_id=event.id, title="القاعة", due={"kind": "event"}
    )
    lead = {"kind": "calendar", "days": 7, "at": "09:00"}
    await anywhere.ask(
        "rules.put", AMINA, event_id=event.id, rule_id=uuid4(), lead=lead, exact=False
    )
    await anywhere.work()
    # On its day, but in the evening: nobody's scheduler ran until then.
    clock.move(days=2, hours=12)
    assert await anywhere.work() == []
    assert (await explained(anywhere, task)).told is None

    # In Ramadan the digest comes at half past eleven.
    clock.move(hours=14, minutes=45)
    (arrival,) = await anywhere.work()

    settled = await explained(anywhere, task)
    assert settled.outcome == "folded"
    assert [str(each.push_id) for each in settled.told.devices] == [arrival.push_id]
    assert settled.told.devices[0].device_id == phone.id


async def test_a_phone_that_shows_it_by_itself_is_named_with_what_it_said(
    rooms: Rooms, clock: ManualClock
):
    phone = await rooms.phone(AMINA, 1)
    event = await rooms.ask(
        "events.create", AMINA, title="زفاف", zone="Africa/Algiers", day="2026-03-10"
    )
    task = await rooms.ask(
        "tasks.create", AMINA, event_id=event.id, title="القاعة", due={"kind": "event"}
    )
    lead = {"kind": "calendar", "days": 1, "at": "09:00"}
    await rooms.ask("rules.put", AMINA, event_id=event.id, rule_id=uuid4(), lead=lead)
    await rooms.work()
    coming = await rooms.ask("alarms.list", AMINA, device_id=phone.id)
    held = {"alarms": [each.id for each in coming.alarms], "until": coming.until}
    clock.move(days=7)
    await rooms.ask("alarms.acknowledge", AMINA, device_id=phone.id, **held)
    acknowledged_at = clock.now()
    clock.move(days=1)
    assert await rooms.work() == []

    found = await rooms.ask("firings.explain", AMINA, event_id=event.id, task_id=task.id)

    (holding,) = found.holding
    assert (holding.device_id, holding.alarms) == (phone.id, 1)
    assert (holding.acknowledged_at, holding.stale_at) == (acknowledged_at, None)
    (push,) = found.settled[0].told.devices
    assert (push.state, push.reason) == ("suppressed", "local_alarm")
