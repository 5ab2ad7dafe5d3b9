"""The parts of an event, its checklist, and moving it."""

import asyncio
import uuid
from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from reminders import errors
from reminders.checklist import checklist, checklist_types
from reminders.days import Anchor
from reminders.due import anchor_of, compressed, due_on
from reminders.part_names import part_name
from reminders.types import CalendarLead, FromEvent, Offset, OnDay, Role, TaskDetails
from reminders.wording import LANGUAGES
from tests.support.factories_reminders import AMINA, BILAL, CELIA, event, server, task, user

DAY = date(2026, 6, 20)


async def wedding(room, day=DAY):
    sheet = await room.events.create(
        user(AMINA), title="زفاف", zone="Africa/Algiers", day=day, at=None
    )
    return sheet.event


async def tasks_of(room, of):
    _, page = await room.tasks.of(user(AMINA), of.id, cursor=None, limit=400)
    return page.items


days = st.dates(date(2010, 1, 1), date(2090, 1, 1))
offsets = st.integers(-700, 60).map(lambda number: Offset(days=number))


@given(days, offsets, offsets, st.integers(1, 700), st.integers(0, 800))
def test_a_compressed_plan_keeps_its_order_and_fits_between_start_and_event(
    anchor, one, other, span, left
):
    start = anchor - timedelta(days=left)
    first, second = sorted((one, other), key=lambda offset: offset.days)
    planned = [
        compressed(FromEvent(offset, span=max(span, -first.days), start=start), anchor)
        for offset in (first, second)
    ]

    assert planned[0] <= planned[1]
    for offset, day in zip((first, second), planned, strict=True):
        meant = anchor + timedelta(days=offset.days)
        assert day >= min(start, meant) if meant <= anchor else day == meant
        assert day >= meant
        if left >= max(span, -first.days):
            assert day == meant
        elif meant <= anchor:
            assert start <= day <= anchor


def test_the_last_fortnight_is_never_compressed():
    anchor = date(2026, 6, 20)
    spec = FromEvent(Offset(days=-14), span=360, start=anchor - timedelta(days=30))

    assert compressed(spec, anchor) == anchor - timedelta(days=14)
    early = replace(spec, offset=Offset(days=-360))
    assert compressed(early, anchor) == anchor - timedelta(days=30)


def test_what_is_left_of_a_part_that_was_over_at_the_start_is_to_be_done_at_once():
    start = date(2026, 6, 20)
    papers = FromEvent(Offset(days=-21), span=346, start=start)

    assert compressed(papers, start - timedelta(days=4)) == start
    photos = replace(papers, offset=Offset(days=14))
    assert compressed(photos, start - timedelta(days=4)) == start + timedelta(days=10)


def test_what_may_not_be_done_before_a_day_is_not_due_before_it():
    """The prenuptial certificate must be less than three months old."""
    of = event(day=date(2027, 7, 23))
    opens = FromEvent(Offset(days=-90))
    job = replace(task(of, FromEvent(Offset(days=-120))), details=TaskDetails(opens=opens))

    assert due_on(job, of).day == date(2027, 4, 24)


def test_a_part_lies_on_its_day_or_so_many_from_the_events_own():
    of = replace(
        event(day=date(2027, 7, 23)),
        anchors=(Anchor("henna", days=-1), Anchor("civil_act", day=date(2027, 6, 1), at=time(10))),
    )

    assert anchor_of(of, "henna").day == date(2027, 7, 22)
    assert anchor_of(replace(of, day=None), "henna") is None
    assert anchor_of(replace(of, day=None), "civil_act").day == date(2027, 6, 1)
    assert anchor_of(of, "fatiha") is None


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("henna", {"الحناء", "Henné", "Henna"}),
        ("reception", {"حفل الاستقبال", "Réception", "Reception"}),
        ("walk_in_the_park", {"walk in the park"}),
    ],
    ids=["of a checklist", "of many events", "of one's own"],
)
def test_a_part_has_a_name_in_each_language_if_it_is_one_that_many_have(code, names):
    assert {part_name(code, language) for language in LANGUAGES} == names


@pytest.mark.parametrize("type_name", checklist_types())
def test_every_checklist_speaks_three_languages_and_names_each_task_once(type_name):
    found = checklist(type_name)

    assert len({each.key for each in found.tasks}) == len(found.tasks)
    for locale in ("ar-DZ", "fr-DZ", "en"):
        titles = [each.title(locale) for each in found.tasks]
        assert len(set(titles)) == len(titles)
        assert found.title[locale[:2]]
    assert all(each.opens is None or each.opens < each.days for each in found.tasks)
    assert {each.anchor for each in found.tasks} <= {"main", *found.anchors}


@pytest.mark.parametrize("left", [0, 1, 10, 20, 40, 100, 200, 400])
async def test_a_checklist_is_in_order_and_begins_today_however_late_it_is(room, left):
    today = room.clock.now().date()
    of = await wedding(room, today + timedelta(days=left))

    begun = await room.parts.begin(user(AMINA), of.id, type_name="wedding", locale="fr-DZ")

    sheet = await room.events.get(user(AMINA), of.id)
    tasks = await tasks_of(room, of)
    dues = [due_on(each, sheet.event).day for each in tasks]
    assert dues == sorted(dues)
    assert min(dues) >= today
    first = [each.id for each in tasks[: len(begun.start_here)]]
    assert list(begun.start_here) == first


async def test_a_checklist_begun_late_is_not_overdue_on_its_first_day(anywhere):
    room = anywhere
    of = await wedding(room, DAY)

    begun = await room.parts.begin(user(AMINA), of.id, type_name="wedding", locale="fr-DZ")

    sheet = await room.events.get(user(AMINA), of.id)
    tasks = await tasks_of(room, of)
    assert (begun.anchors, begun.tasks) == (3, len(tasks)) == (3, 24)
    today = room.clock.now().date()
    dues = [due_on(each, sheet.event).day for each in tasks]
    assert min(dues) >= today
    assert "Réserver la salle" in {each.title for each in tasks}
    first = {due_on(each, sheet.event).day for each in tasks if each.id in begun.start_here}
    assert len(begun.start_here) == 7
    assert max(first) <= sorted(dues)[6]
    medical = next(each for each in tasks if each.title.startswith("Certificat"))
    civil_act = anchor_of(sheet.event, "civil_act").day
    assert civil_act - timedelta(days=90) <= due_on(medical, sheet.event).day <= civil_act
    assert await room.planner.step() == 1
    assert (await room.firings.upcoming(AMINA, cursor=None, limit=100)).items


async def test_a_checklist_begun_in_time_needs_no_place_to_start(room):
    of = await wedding(room, DAY + timedelta(days=400))

    begun = await room.parts.begin(user(AMINA), of.id, type_name="wedding", locale="fr-DZ")

    assert begun.start_here == ()


async def test_a_checklist_is_listed_as_it_is_due(room):
    of = await wedding(room, DAY + timedelta(days=400))
    await room.parts.begin(user(AMINA), of.id, type_name="wedding", locale="fr-DZ")

    event = (await room.events.get(user(AMINA), of.id)).event
    days = [due_on(each, event).day for each in await tasks_of(room, of)]

    assert days == sorted(days)


async def test_beginning_a_checklist_again_keeps_what_was_changed(anywhere):
    room = anywhere
    of = await wedding(room)
    await room.parts.begin(user(AMINA), of.id, type_name="henna", locale="ar")
    first, second, *_ = await tasks_of(room, of)
    await room.tasks.complete(user(AMINA), of.id, first.id)
    await room.tasks.delete(user(AMINA), of.id, second.id)

    again = await room.parts.begin(user(AMINA), of.id, type_name="henna", locale="ar")

    assert again.tasks == 0
    assert len(await tasks_of(room, of)) == 3


async def test_a_checklist_begun_twice_at_once_is_begun_once(anywhere):
    of = await wedding(anywhere)

    begun = await asyncio.gather(
        *(
            anywhere.parts.begin(user(AMINA), of.id, type_name="henna", locale="ar")
            for _ in range(2)
        )
    )

    assert sorted(each.tasks for each in begun) == [0, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "main", "days": 1},
        {"code": "Henna", "days": 1},
        {"code": "henna"},
        {"code": "henna", "day": DAY, "days": 1},
        {"code": "henna", "days": 5000},
        {"code": "henna", "days": 1, "zone": "Mars/Olympus"},
    ],
)
async def test_a_part_that_means_nothing_is_refused(room, wrong):
    of = await wedding(room)

    with pytest.raises(InvalidInput):
        await room.parts.put(user(AMINA), of.id, **wrong)


async def test_only_owners_decide_about_parts_checklists_and_moves(room):
    of = await wedding(room)
    for who, role in ((BILAL, Role.COLLABORATOR), (CELIA, Role.GUEST)):
        await room.events.put_member(user(AMINA), of.id, user_id=who, role=role)
    asked = [
        lambda who: room.parts.put(who, of.id, code="henna", days=-1),
        lambda who: room.parts.drop(who, of.id, code="henna"),
        lambda who: room.parts.begin(who, of.id, type_name="henna", locale="ar"),
        lambda who: room.moving.move(who, of.id, day=DAY + timedelta(days=1), at=None),
        lambda who: room.moving.undo(who, of.id),
    ]

    for ask in asked:
        for who in (BILAL, CELIA):
            with pytest.raises(errors.RoleTooLow):
                await ask(user(who))
        with pytest.raises(errors.EventNotFound):
            await ask(user("nobody"))
        await ask(server())
    with pytest.raises(errors.RoleTooLow):
        await room.tasks.create(user(CELIA), of.id, title="x", due=None)
    with pytest.raises(errors.EventNotFound):
        await room.moving.preview(user("nobody"), of.id, day=DAY, at=None)
    assert await room.moving.preview(user(CELIA), of.id, day=DAY, at=None)


async def test_a_preview_says_what_would_move_what_stays_and_what_would_be_late(room):
    of = await wedding(room)
    here = user(AMINA), of.id
    moving = await room.tasks.create(*here, title="Gâteau", due=FromEvent(Offset(days=-10)))
    await room.tasks.create(*here, title="Salle", due=OnDay(date(2026, 5, 1)))
    done = await room.tasks.create(*here, title="Robe", due=FromEvent(Offset(days=-10)))
    await room.tasks.complete(*here, done.id)

    found = await room.moving.preview(user(AMINA), of.id, day=date(2026, 3, 5), at=None)

    (shift,) = found.shifts
    assert (shift.task.id, shift.before.day) == (moving.id, date(2026, 6, 10))
    assert (shift.after.day, shift.late, found.pinned) == (date(2026, 2, 23), True, 1)
    assert (await room.events.get(user(AMINA), of.id)).event.day == DAY


async def test_a_move_can_be_undone_for_ten_minutes_and_then_no_more(anywhere):
    room = anywhere
    of = await wedding(room)
    await room.moving.move(user(AMINA), of.id, day=date(2026, 7, 1), at=time(20))
    room.clock.move(minutes=9)

    back = (await room.moving.undo(user(AMINA), of.id)).event

    assert (back.day, back.at) == (DAY, None)
    with pytest.raises(errors.NotMoved):
        await room.moving.undo(user(AMINA), of.id)
    await room.moving.move(user(AMINA), of.id, day=date(2026, 7, 1), at=None)
    room.clock.move(minutes=10)
    with pytest.raises(errors.NotMoved):
        await room.moving.undo(user(AMINA), of.id)


async def test_policy_holds_its_tongue_while_a_move_can_be_undone(anywhere):
    room = anywhere
    of = await wedding(room, date(2026, 6, 20))
    await room.tasks.create(user(AMINA), of.id, title="Robe", due=FromEvent(Offset()))
    await room.rules.put(
        user(AMINA),
        of.id,
        rule_id=uuid.uuid4(),
        task_id=None,
        user_id=None,
        lead=CalendarLead(Offset(days=7), time(12)),
        exact=False,
    )
    room.clock.move(hours=2, minutes=55)

    await room.moving.move(user(AMINA), of.id, day=date(2026, 3, 8), at=None)
    await room.planner.step()

    (firing,) = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    assert firing.due_at == room.clock.now() + timedelta(minutes=10)
