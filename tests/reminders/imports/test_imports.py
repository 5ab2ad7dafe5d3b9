"""Importing calendars into an event: on each database, by those who may, as often as they like."""

import uuid
from datetime import date, time, timedelta

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from reminders import limits
from reminders.errors import EventCancelled, EventNotFound, RoleTooLow
from reminders.imports.imports import ImportOptions, Imports
from reminders.imports.types import State
from reminders.types import AtWall, ElapsedLead, OnDay, Role
from tests.reminders.imports.test_reading import alarm, calendar, entry
from tests.support.factories_reminders import AMINA, BILAL, CELIA, server, user

TASTING = entry(
    "DTSTART;TZID=Europe/Paris:20260320T180000",
    "DESCRIPTION:Chez Samia",
    alarm(":-PT2H"),
    uid="tasting",
    summary="Dégustation",
)
WEEKLY = entry(
    "DTSTART;VALUE=DATE:20260306", "RRULE:FREQ=WEEKLY", uid="weekly", summary="Appeler la salle"
)
ODD = entry("DTSTART:20260320T180000", "RRULE:FREQ=SECONDLY", uid="odd")


async def a_wedding(room):
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone="Africa/Algiers", day=date(2026, 6, 20), at=None
    )
    await room.events.put_member(user(AMINA), sheet.event.id, user_id=BILAL, role=Role.COLLABORATOR)
    await room.events.put_member(user(AMINA), sheet.event.id, user_id=CELIA, role=Role.GUEST)
    return sheet.event.id


async def imported(room, event_id, *components, who=user(AMINA)):  # noqa: B008
    found = await room.imports.run(who, event_id, calendar=calendar(*components))
    return [line.state for line in found.lines]


async def tasks(room, event_id):
    """The last in the alphabet first."""
    _, page = await room.tasks.of(user(AMINA), event_id, cursor=None, limit=100)
    return sorted(page.items, key=lambda task: task.title, reverse=True)


async def rules(room, event_id):
    return (await room.events.get(user(AMINA), event_id)).rules


async def test_a_preview_says_what_an_import_does_and_changes_nothing(anywhere):
    event_id = await a_wedding(anywhere)
    text = calendar(TASTING, WEEKLY, ODD)

    seen = await anywhere.imports.preview(user(AMINA), event_id, calendar=text)
    untouched = await tasks(anywhere, event_id)
    done = await anywhere.imports.run(user(AMINA), event_id, calendar=text)

    assert untouched == []
    assert seen == done
    assert [line.state for line in done.lines] == [State.ADDED, State.ADDED, State.REFUSED]
    tasting, weekly = await tasks(anywhere, event_id)
    assert tasting.due == AtWall(date(2026, 3, 20), time(18), "Europe/Paris")
    assert tasting.details.notes == "Chez Samia"
    assert weekly.details.recurs.rule == "FREQ=WEEKLY"
    (rule,) = await rules(anywhere, event_id)
    assert (rule.task_id, rule.user_id) == (tasting.id, AMINA)
    assert rule.lead == ElapsedLead(timedelta(hours=2))


async def test_what_is_imported_is_spoken_of(room):
    event_id = await a_wedding(room)
    await imported(room, event_id, TASTING)

    await room.planner.step()

    (firing,) = (await room.explain.upcoming(user(AMINA), cursor=None, limit=10)).items
    assert firing.due_at.isoformat() == "2026-03-20T15:00:00+00:00"


async def test_importing_again_doubles_nothing_and_brings_up_to_date(anywhere):
    event_id = await a_wedding(anywhere)
    await imported(anywhere, event_id, TASTING, WEEKLY)
    moved = TASTING.replace("20260320", "20260327").replace("-PT2H", "-PT3H")

    assert await imported(anywhere, event_id, TASTING, WEEKLY) == [State.UNCHANGED] * 2
    assert await imported(anywhere, event_id, moved, WEEKLY) == [State.UPDATED, State.UNCHANGED]

    tasting, _ = await tasks(anywhere, event_id)
    assert tasting.due.day == date(2026, 3, 27)
    assert [rule.lead for rule in await rules(anywhere, event_id)] == [
        ElapsedLead(timedelta(hours=3))
    ]


async def test_what_people_did_with_an_imported_task_stays(anywhere):
    event_id = await a_wedding(anywhere)
    amina = user(AMINA)
    await imported(anywhere, event_id, TASTING, WEEKLY)
    tasting, weekly = await tasks(anywhere, event_id)
    await anywhere.tasks.update(
        amina, event_id, tasting.id, title=tasting.title, due=tasting.due, assignee_id=BILAL
    )
    await anywhere.tasks.complete(amina, event_id, tasting.id)
    await anywhere.tasks.complete(amina, event_id, weekly.id)
    own = await anywhere.rules.put(
        amina, event_id, rule_id=uuid.uuid4(), task_id=tasting.id, user_id=AMINA,
        lead=ElapsedLead(timedelta(minutes=5)), exact=True,
    )  # fmt: skip
    renamed = TASTING.replace("Dégustation", "Dégustation du gâteau")

    states = await imported(anywhere, event_id, renamed, WEEKLY)

    assert states == [State.UPDATED, State.UNCHANGED]
    tasting, weekly = await tasks(anywhere, event_id)
    assert (tasting.title, tasting.assignee_id) == ("Dégustation du gâteau", BILAL)
    assert tasting.done_at is not None
    # The series went on, and does not begin anew.
    assert weekly.due == OnDay(date(2026, 3, 13))
    assert own.id in {rule.id for rule in await rules(anywhere, event_id)}


async def test_an_imported_occurrence_stays_at_the_time_to_which_it_was_moved(room):
    event_id = await a_wedding(room)
    class_ = WEEKLY.replace("VALUE=DATE:20260306", "TZID=Europe/Paris:20260306T100000")
    await imported(room, event_id, class_)
    (weekly,) = await tasks(room, event_id)
    once = AtWall(date(2026, 3, 7), time(16), "Africa/Algiers")
    here = user(AMINA), event_id, weekly.id
    await room.tasks.update(*here, title=weekly.title, due=once, assignee_id=None)

    assert await imported(room, event_id, class_) == [State.UNCHANGED]

    done = await room.tasks.complete(*here)
    assert done.due == AtWall(date(2026, 3, 13), time(10), "Europe/Paris")


async def test_what_was_deleted_does_not_come_back(anywhere):
    event_id = await a_wedding(anywhere)
    await imported(anywhere, event_id, TASTING)
    (tasting,) = await tasks(anywhere, event_id)
    await anywhere.tasks.delete(user(AMINA), event_id, tasting.id)

    assert await imported(anywhere, event_id, TASTING) == [State.REFUSED]
    assert await tasks(anywhere, event_id) == []


async def test_alarms_are_of_whoever_imports(room):
    event_id = await a_wedding(room)
    await imported(room, event_id, TASTING)

    assert await imported(room, event_id, TASTING, who=user(BILAL)) == [State.UPDATED]

    assert {rule.user_id for rule in await rules(room, event_id)} == {AMINA, BILAL}


async def test_an_event_takes_no_more_tasks_than_it_may_have(room, monkeypatch):
    monkeypatch.setattr(limits, "TASKS", 1)
    event_id = await a_wedding(room)

    states = await imported(room, event_id, TASTING, WEEKLY)

    assert states == [State.ADDED, State.REFUSED]


async def test_a_calendar_has_a_size(room):
    event_id = await a_wedding(room)
    small = Imports(
        store=room.calendar, clock=room.clock, planning=room.planning,
        options=ImportOptions(calendar_bytes=1024),
    )  # fmt: skip

    with pytest.raises(InvalidInput) as caught:
        await small.preview(user(AMINA), event_id, calendar="x" * 1025)

    assert "1024 bytes" in caught.value.message


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        (user(AMINA), None),
        (user(BILAL), None),
        (user(CELIA), RoleTooLow),
        (user("stranger"), EventNotFound),
        (server(), None),
        (server(Scope.PUSHES), Denied),
    ],
    ids=["owner", "collaborator", "guest", "stranger", "server", "other server"],
)
async def test_who_may_import_and_look_what_it_would_do(room, who, refusal):
    event_id = await a_wedding(room)

    for act in (room.imports.preview, room.imports.run):
        if refusal is None:
            assert len((await act(who, event_id, calendar=calendar(TASTING))).lines) == 1
        else:
            with pytest.raises(refusal):
                await act(who, event_id, calendar=calendar(TASTING))


async def test_a_cancelled_event_takes_nothing(room):
    event_id = await a_wedding(room)
    await room.events.cancel(user(AMINA), event_id)

    with pytest.raises(EventCancelled):
        await imported(room, event_id, TASTING)
