"""Events, tasks, rules and people: what can be asked, and what is refused."""

import uuid
from datetime import date, time, timedelta

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from reminders import errors, limits
from reminders.tracing import State
from reminders.types import (
    AtWall,
    CalendarLead,
    ElapsedLead,
    FromEvent,
    Offset,
    OnDay,
    Role,
    TaskDetails,
    ZonePolicy,
)
from tests.support.factories_reminders import AMINA, BILAL, CELIA, day_before, server, user

DAY = date(2026, 6, 20)


async def wedding(room, principal=user(AMINA), **changes):  # noqa: B008
    asked = {"title": "Mariage", "zone": "Africa/Algiers", "day": DAY, "at": None}
    sheet = await room.events.create(principal, **{**asked, **changes})
    return sheet.event


async def put_rule(room, of, principal=user(AMINA), **changes):  # noqa: B008
    asked = {"rule_id": uuid.uuid4(), "task_id": None, "user_id": None}
    asked |= {"lead": day_before(), "exact": True}
    return await room.rules.put(principal, of.id, **{**asked, **changes})


async def new_task(room, of, principal=user(AMINA), **changes):  # noqa: B008
    asked = {"title": "Robe", "due": FromEvent(Offset(days=-7))}
    return await room.tasks.create(principal, of.id, **{**asked, **changes})


async def test_who_makes_an_event_owns_it(room):
    event = await wedding(room)

    sheet = await room.events.get(user(AMINA), event.id)
    assert sheet.member(AMINA).role is Role.OWNER
    page = await room.events.of(user(AMINA), cursor=None, limit=10)
    assert page.items == [event]


async def test_a_server_makes_events_for_users_it_names(room):
    event = await wedding(room, server(), owner_id=BILAL)

    assert (await room.events.get(user(BILAL), event.id)).member(BILAL).role is Role.OWNER
    page = await room.events.of(server(), cursor=None, limit=10, user_id=BILAL)
    assert page.items == [event]


async def test_a_user_can_make_an_event_for_nobody_else(room):
    event = await wedding(room, user(AMINA), owner_id=BILAL)

    assert (await room.events.get(user(AMINA), event.id)).member(BILAL) is None


async def test_making_the_same_event_or_task_twice_is_harmless(room):
    mine = uuid.uuid4()
    first = await wedding(room, event_id=mine)
    assert await wedding(room, event_id=mine, title="again") == first
    with pytest.raises(errors.IdTaken):
        await wedding(room, user(BILAL), event_id=mine)

    job = await new_task(room, first, task_id=mine)
    assert await new_task(room, first, task_id=mine, title="again") == job


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": " "},
        {"zone": "Mars/Olympus"},
        {"day": date(1999, 1, 1)},
        {"day": None, "at": time(9)},
    ],
)
async def test_an_event_that_means_nothing_is_refused(room, wrong):
    with pytest.raises(InvalidInput):
        await wedding(room, **wrong)


async def test_moving_raises_the_version_and_moving_nowhere_does_not(room):
    event = await wedding(room)

    moved = (await room.moving.move(user(AMINA), event.id, day=DAY, at=time(15))).event
    assert (moved.at, moved.sched_version) == (time(15), 2)
    same = (await room.moving.move(user(AMINA), event.id, day=DAY, at=time(15))).event
    assert same == moved


async def test_renaming_changes_no_plan(room):
    event = await wedding(room)

    renamed = (await room.events.rename(user(AMINA), event.id, title="زفاف")).event

    assert (renamed.title, renamed.sched_version) == ("زفاف", 1)


async def test_cancelling_twice_is_harmless_and_nothing_follows(room):
    event = await wedding(room)
    job = await new_task(room, event)
    cancelled = (await room.events.cancel(user(AMINA), event.id)).event
    room.clock.move(hours=1)

    assert (await room.events.cancel(user(AMINA), event.id)).event == cancelled
    with pytest.raises(errors.EventCancelled):
        await room.tasks.complete(user(AMINA), event.id, job.id)


async def test_an_event_always_keeps_an_owner(room):
    event = await wedding(room)
    await room.events.put_member(user(AMINA), event.id, user_id=BILAL, role=Role.COLLABORATOR)

    with pytest.raises(errors.LastOwner):
        await room.events.remove_member(user(AMINA), event.id, user_id=AMINA)
    with pytest.raises(errors.LastOwner):
        await room.events.put_member(user(AMINA), event.id, user_id=AMINA, role=Role.COLLABORATOR)

    await room.events.put_member(user(AMINA), event.id, user_id=BILAL, role=Role.OWNER)
    await room.events.remove_member(user(AMINA), event.id, user_id=AMINA)
    with pytest.raises(errors.EventNotFound):
        await room.events.get(user(AMINA), event.id)
    with pytest.raises(errors.NotInEvent):
        await room.events.remove_member(user(BILAL), event.id, user_id=AMINA)


async def test_an_event_holds_thirty_members(room):
    event = await wedding(room)
    for number in range(limits.MEMBERS - 1):
        await room.events.put_member(
            user(AMINA), event.id, user_id=f"guest-{number}", role=Role.COLLABORATOR
        )

    with pytest.raises(errors.EventFull):
        await room.events.put_member(user(AMINA), event.id, user_id=CELIA, role=Role.COLLABORATOR)
    # Changing the role of one who is in takes no place.
    await room.events.put_member(user(AMINA), event.id, user_id="guest-0", role=Role.OWNER)


async def test_an_event_holds_as_many_tasks_as_it_may_and_no_more(room, monkeypatch):
    monkeypatch.setattr(limits, "TASKS", 2)
    event = await wedding(room)
    first = await new_task(room, event)
    await new_task(room, event)

    with pytest.raises(errors.EventFull):
        await new_task(room, event)
    await room.tasks.delete(user(AMINA), event.id, first.id)
    await new_task(room, event)


async def test_what_changes_a_tasks_plan_raises_its_version_and_a_title_does_not(room):
    event = await wedding(room)
    job = await new_task(room, event)
    same = {"due": job.due, "assignee_id": None}

    renamed = await room.tasks.update(user(AMINA), event.id, job.id, title="Costume", **same)
    assert (renamed.title, renamed.sched_version) == ("Costume", 1)
    due = await room.tasks.update(
        user(AMINA), event.id, job.id, title="Costume", due=OnDay(DAY), assignee_id=None
    )
    assert due.sched_version == 2
    mine = await room.tasks.update(
        user(AMINA), event.id, job.id, title="Costume", due=OnDay(DAY), assignee_id=AMINA
    )
    assert mine.sched_version == 3


async def test_done_and_reopened_twice_is_once(room):
    event = await wedding(room)
    job = await new_task(room, event)

    done = await room.tasks.complete(user(AMINA), event.id, job.id)
    room.clock.move(hours=1)
    assert await room.tasks.complete(user(AMINA), event.id, job.id) == done
    again = await room.tasks.reopen(user(AMINA), event.id, job.id)
    assert again.done_at is None
    assert await room.tasks.reopen(user(AMINA), event.id, job.id) == again
    assert again.sched_version == 3


async def test_a_task_goes_with_who_made_it_or_an_owner(room):
    event = await wedding(room)
    await room.events.put_member(user(AMINA), event.id, user_id=BILAL, role=Role.COLLABORATOR)
    mine, theirs = await new_task(room, event, user(BILAL)), await new_task(room, event)

    with pytest.raises(errors.RoleTooLow):
        await room.tasks.delete(user(BILAL), event.id, theirs.id)
    await room.tasks.delete(user(BILAL), event.id, mine.id)
    with pytest.raises(errors.TaskNotFound):
        await room.tasks.get(user(BILAL), event.id, mine.id)
    await room.tasks.delete(user(AMINA), event.id, theirs.id)


async def test_a_deleted_task_comes_back_as_it_was_and_only_with_what_is_to_come(anywhere):
    room = anywhere
    event = await wedding(room)
    await room.events.put_member(user(AMINA), event.id, user_id=BILAL, role=Role.COLLABORATOR)
    usual = TaskDetails(usual=True, notes="Salle")
    job = await new_task(room, event, due=OnDay(date(2026, 3, 9)), details=usual)
    await room.tasks.delete(user(AMINA), event.id, job.id)
    await room.planner.step()
    assert not (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    room.clock.move(days=2)

    with pytest.raises(errors.RoleTooLow):
        await room.tasks.restore(user(BILAL), event.id, job.id)
    back = await room.tasks.restore(user(AMINA), event.id, job.id)
    assert await room.tasks.restore(user(AMINA), event.id, job.id) == back
    await room.planner.step()

    assert (back.title, back.details.notes, back.deleted_at) == (job.title, "Salle", None)
    coming = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    assert coming
    assert min(each.due_at for each in coming) > room.clock.now()
    with pytest.raises(errors.TaskNotFound):
        await room.tasks.restore(user(AMINA), event.id, uuid.uuid4())


async def test_only_members_can_be_assigned(room):
    event = await wedding(room)

    with pytest.raises(errors.NotInEvent):
        await new_task(room, event, assignee_id=BILAL)


async def test_a_relative_due_must_fall_on_a_day_that_somebody_can_mean(room):
    event = await wedding(room, day=date(2000, 1, 2))

    with pytest.raises(InvalidInput):
        await new_task(room, event, due=FromEvent(Offset(days=-7)))


async def test_strangers_are_told_that_there_is_nothing(room):
    event = await wedding(room)
    job = await new_task(room, event)
    stranger = user(CELIA)

    for asked in (
        room.events.get(stranger, event.id),
        room.events.get(stranger, uuid.uuid4()),
        room.moving.move(stranger, event.id, day=DAY, at=None),
        room.events.cancel(stranger, event.id),
        room.events.rename(stranger, event.id, title="x"),
        room.events.put_member(stranger, event.id, user_id=CELIA, role=Role.OWNER),
        room.events.remove_member(stranger, event.id, user_id=AMINA),
        room.tasks.of(stranger, event.id, cursor=None, limit=5),
        room.tasks.get(stranger, event.id, job.id),
        room.tasks.complete(stranger, event.id, job.id),
        room.tasks.delete(stranger, event.id, job.id),
        new_task(room, event, stranger),
        put_rule(room, event, stranger, user_id=CELIA),
        room.explain.of(stranger, event.id, job.id),
    ):
        with pytest.raises(errors.EventNotFound):
            await asked


async def test_a_server_without_the_scope_may_do_nothing(room):
    event = await wedding(room)
    other = server(Scope.DEVICES)

    for asked in (
        room.events.get(other, event.id),
        room.events.of(other, cursor=None, limit=5, user_id=AMINA),
        wedding(room, other),
        new_task(room, event, other),
        room.people.put(other, zone="UTC", locale="en", user_id=AMINA),
        room.explain.upcoming(other, cursor=None, limit=5, user_id=AMINA),
    ):
        with pytest.raises(Denied):
            await asked


async def test_a_rule_may_change_its_hour_but_not_what_it_is(room):
    event = await wedding(room)
    first = await put_rule(room, event)
    room.clock.move(hours=1)

    later = await put_rule(room, event, rule_id=first.id, lead=day_before(time(10)))
    assert (later.created_at, later.lead.at) == (first.created_at, time(10))
    assert later.planned_from == room.clock.now()
    room.clock.move(hours=1)
    assert await put_rule(room, event, rule_id=first.id, lead=day_before(time(10))) == later

    for change in (
        {"lead": CalendarLead(Offset(days=2), time(10))},
        {"lead": ElapsedLead(timedelta(hours=1))},
        {"user_id": AMINA},
        {"exact": False},
    ):
        with pytest.raises(errors.RuleFixed):
            await put_rule(room, event, rule_id=first.id, **change)


async def test_a_sixth_rule_for_the_same_task_and_user_is_refused(room):
    event = await wedding(room)
    job = await new_task(room, event)
    for days in range(5):
        lead = CalendarLead(Offset(days=days), time(9))
        await put_rule(room, event, task_id=job.id, user_id=AMINA, lead=lead)

    for task_id in (job.id, None):
        with pytest.raises(errors.TooManyRules):
            await put_rule(room, event, task_id=task_id)


async def test_time_elapsed_needs_a_time_to_count_from(room):
    event = await wedding(room)
    all_day = await new_task(room, event)
    timed = await new_task(room, event, due=AtWall(DAY, time(9), "Africa/Algiers"))
    lead = ElapsedLead(timedelta(minutes=90))

    with pytest.raises(InvalidInput):
        await put_rule(room, event, task_id=all_day.id, lead=lead)
    await put_rule(room, event, task_id=timed.id, lead=lead)


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone_policy": ZonePolicy.FIXED},
        {"zone": "UTC"},
        {"zone_policy": ZonePolicy.FIXED, "zone": "+01:00"},
    ],
)
async def test_a_fixed_zone_belongs_to_the_fixed_policy(room, wrong):
    event = await wedding(room)

    with pytest.raises(InvalidInput):
        await put_rule(room, event, **wrong)


async def test_a_rule_for_others_is_the_owners_and_can_be_dropped_by_whom_it_tells(room):
    event = await wedding(room)
    await room.events.put_member(user(AMINA), event.id, user_id=BILAL, role=Role.COLLABORATOR)
    with pytest.raises(errors.RoleTooLow):
        await put_rule(room, event, user(BILAL))
    with pytest.raises(errors.NotInEvent):
        await put_rule(room, event, user_id=CELIA)
    for_bilal = await put_rule(room, event, user_id=BILAL)
    for_all = await put_rule(room, event)

    await room.rules.drop(user(BILAL), event.id, rule_id=for_bilal.id, task_id=None)
    with pytest.raises(errors.RoleTooLow):
        await room.rules.drop(user(BILAL), event.id, rule_id=for_all.id, task_id=None)
    with pytest.raises(errors.RuleNotFound):
        await room.rules.drop(user(AMINA), event.id, rule_id=for_bilal.id, task_id=None)
    assert (await room.events.get(user(AMINA), event.id)).rules == [for_all]


@pytest.mark.parametrize(
    "wrong", [{"zone": "+01:00"}, {"locale": ""}, {"locale": "fr DZ"}, {"locale": "f" * 40}]
)
async def test_a_profile_names_a_zone_and_a_language(room, wrong):
    with pytest.raises(InvalidInput):
        await room.people.put(user(AMINA), **{"zone": "UTC", "locale": "fr", **wrong})


async def test_a_profile_is_ones_own_or_a_servers_to_set(room):
    with pytest.raises(errors.ProfileNotFound):
        await room.people.get(user(AMINA))
    await room.people.put(user(BILAL), zone="UTC", locale="ar", user_id=AMINA)
    assert (await room.people.get(user(BILAL))).locale == "ar"

    await room.people.put(server(), zone="Europe/Paris", locale="fr", user_id=AMINA)
    assert (await room.people.get(user(AMINA))).zone == "Europe/Paris"
    with pytest.raises(InvalidInput):
        await room.people.get(server())


async def test_explaining_says_when_on_whose_clock_and_why(room):
    event = await wedding(room, day=date(2026, 3, 10))
    job = await new_task(room, event, due=FromEvent(Offset()))
    rule = await put_rule(room, event, task_id=job.id)
    await room.people.put(user(AMINA), zone="Asia/Kathmandu", locale="fr")

    async def explained():
        (trace,) = (await room.explain.of(user(AMINA), event.id, job.id)).traces
        return trace

    trace = await explained()
    assert (trace.rule_id, trace.state) == (rule.id, State.PLANNED)
    assert (trace.due, trace.zone) == ("2026-03-10T-@~", "Asia/Kathmandu")
    assert trace.wall.isoformat() == "2026-03-09T09:00:00"
    assert trace.utc_offset == timedelta(hours=5, minutes=45)
    assert trace.due_at.isoformat() == "2026-03-09T03:15:00+00:00"

    await room.planner.step()
    (firing,) = (await room.explain.upcoming(user(AMINA), cursor=None, limit=5)).items
    assert firing.due_at == trace.due_at

    room.clock.move(days=8)
    await room.scheduler.step()
    assert (await explained()).state is State.PASSED
    (settled,) = (await room.explain.of(user(AMINA), event.id, job.id)).settled
    assert settled.outcome == "fired"

    await room.tasks.complete(user(AMINA), event.id, job.id)
    assert (await explained()).state is State.DONE


async def test_explaining_says_why_not(room):
    event = await wedding(room, day=date(2026, 3, 2))
    await room.events.put_member(user(AMINA), event.id, user_id=BILAL, role=Role.COLLABORATOR)
    job = await new_task(room, event, due=FromEvent(Offset()))
    undue = await new_task(room, event, due=None)
    too_late = await put_rule(room, event, lead=CalendarLead(Offset(days=9), time(9)))
    mine = await put_rule(room, event, user_id=AMINA)
    elapsed = await put_rule(room, event, lead=ElapsedLead(timedelta(hours=1)))

    async def states(who, task):
        explained = await room.explain.of(user(who), event.id, task.id)
        return {trace.rule_id: trace.state for trace in explained.traces}

    of_amina = await states(AMINA, job)
    assert of_amina[too_late.id] is State.TOO_LATE
    assert of_amina[elapsed.id] is State.NOT_TIMED
    assert (await states(BILAL, job))[mine.id] is State.NOT_CONCERNED
    assert set((await states(AMINA, undue)).values()) == {State.NO_DUE}


@pytest.mark.parametrize("role", [Role.COLLABORATOR, Role.VENDOR, Role.GUEST])
async def test_whoever_is_in_a_cancelled_event_may_leave_it(room, role):
    of = await wedding(room)
    await room.events.put_member(user(AMINA), of.id, user_id=BILAL, role=role)
    await room.events.cancel(user(AMINA), of.id)

    await room.events.remove_member(user(BILAL), of.id, user_id=BILAL)

    with pytest.raises(errors.LastOwner):
        await room.events.remove_member(user(AMINA), of.id, user_id=AMINA)
    mine = await room.events.of(user(BILAL), cursor=None, limit=10)
    assert mine.items == []


async def test_what_is_somebody_elses_is_explained_as_theirs_until_they_leave(room):
    event = await wedding(room)
    await room.events.put_member(user(AMINA), event.id, user_id=BILAL, role=Role.COLLABORATOR)
    job = await new_task(room, event, due=FromEvent(Offset()), assignee_id=BILAL)
    await put_rule(room, event, task_id=job.id)

    async def state():
        (trace,) = (await room.explain.of(user(AMINA), event.id, job.id)).traces
        return trace.state

    assert await state() is State.NOT_CONCERNED
    await room.events.remove_member(user(AMINA), event.id, user_id=BILAL)
    assert await state() is State.PLANNED
