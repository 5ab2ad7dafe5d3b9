"""What is usual, in three layers: the product's, the user's, the task's."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from kernel.errors import InvalidInput
from kernel.ids import UserId
from reminders.defaults import FARTHEST_DAYS, FARTHEST_MINUTES, Own
from reminders.errors import EventNotFound, ProfileNotFound, TaskNotFound
from reminders.firing import FiringClass
from reminders.person import Occasion, Usual, UsualLead
from reminders.rules import plan
from reminders.tasks import revised
from reminders.tracing import Layer, State
from reminders.types import (
    AtWall,
    CalendarLead,
    Choice,
    ElapsedLead,
    FromEvent,
    Inputs,
    Offset,
    OnDay,
    Payment,
    Priority,
    Recurrence,
    Role,
    Snooze,
    TaskDetails,
)
from reminders.usual import PRODUCT, usual_rules
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    CELIA,
    event,
    member,
    person,
    rule,
    server,
    task,
    user,
)

FAR = datetime(2101, 1, 1, tzinfo=UTC)
DARIO = UserId("dario")

DAY = date(2027, 7, 23)
TIMED = AtWall(DAY, time(14), "Africa/Algiers")
LONG_SINCE = datetime(2000, 1, 1, tzinfo=UTC)


def usual_task(due=OnDay(DAY), **details):  # noqa: B008
    return replace(task(event(), due), details=TaskDetails(usual=True, **details))


def says(**occasions):
    """Amina with ways of her own."""
    usual = {Occasion(name): each for name, each in occasions.items()}
    return replace(person(AMINA), usual=usual)


def leads(of, who=None, *, ruled=0):
    """Days before, or the time before, and the time of day."""
    return [
        (each.lead.before.days, f"{each.lead.at:%H:%M}")
        if isinstance(each.lead, CalendarLead)
        else each.lead.before
        for each in usual_rules(of, event(), AMINA, who, ruled=ruled)
        if isinstance(each.lead, ElapsedLead) or each.lead.before.days >= 0
    ]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (usual_task(priority=Priority.KEY), [(30, "09:00"), (7, "09:00"), (1, "09:00")]),
        (usual_task(), [(7, "09:00"), (0, "09:00")]),
        (usual_task(priority=Priority.LOW), []),
        (usual_task(TIMED, priority=Priority.LOW), []),
        (usual_task(TIMED), [(1, "18:00"), timedelta(hours=2)]),
        (
            usual_task(payment=Payment(50_000_00, "DZD")),
            [(7, "09:00"), (2, "09:00"), (0, "09:00")],
        ),
    ],
)
def test_the_product_speaks_of_each_occasion_in_its_way(of, expected):
    assert leads(of) == expected


def test_a_users_own_leads_take_the_products_place():
    own = Usual(LONG_SINCE, leads=(UsualLead(3), UsualLead(1, time(20))))

    assert leads(usual_task(), says(normal=own)) == [(3, "09:00"), (1, "20:00")]
    assert leads(usual_task(priority=Priority.KEY), says(normal=own))[0] == (30, "09:00")


def test_a_user_may_have_another_time_of_day():
    early = replace(person(AMINA), clock=time(7, 30))

    assert leads(usual_task(), early) == [(7, "07:30"), (0, "07:30")]


def test_an_occasion_that_is_off_is_silent():
    assert leads(usual_task(), says(normal=Usual(LONG_SINCE, on=False))) == []


def test_what_is_overdue_can_be_off_by_itself():
    silent = says(overdue=Usual(LONG_SINCE, on=False))

    rules = usual_rules(usual_task(), event(), AMINA, silent, ruled=0)

    assert [each.lead.before.days for each in rules] == [7, 0]


@pytest.mark.parametrize(("chosen", "count"), [(None, 2), (True, 2), (False, 0)])
def test_a_choice_for_one_task_wins_over_both_layers(chosen, count):
    asked = usual_task(choices=(Choice(AMINA, chosen),))

    assert len(leads(asked)) == count


def test_with_five_rules_of_its_own_a_task_has_no_usual_ones():
    key = usual_task(priority=Priority.KEY)

    assert leads(key, ruled=3) == [(7, "09:00"), (1, "09:00")]
    assert leads(key, ruled=5) == []


def test_who_chooses_to_be_told_is_told_beside_those_whom_the_task_is_for():
    wedding = event(day=DAY)
    members = [member(wedding), member(wedding, BILAL, Role.COLLABORATOR)]
    asked = task(wedding, OnDay(DAY))
    asked = replace(asked, details=TaskDetails(choices=(Choice(BILAL, True, nag=False),)))

    firings = plan(Inputs(wedding, members, [asked], [], {}), until=FAR)

    assert {firing.user_id for firing in firings} == {BILAL}
    assert len(firings) == 2


@pytest.mark.parametrize(
    "of",
    [
        usual_task(recurs=Recurrence("FREQ=WEEKLY", DAY)),
        usual_task(FromEvent(Offset(days=-300), span=365, start=date(2026, 3, 1))),
        usual_task(priority=Priority.LOW),
        usual_task(nag=False),
    ],
    ids=["what comes again", "what a late start pressed together", "what matters little", "off"],
)
def test_nobody_is_told_that_these_are_overdue(of):
    rules = usual_rules(of, event(), AMINA, None, ruled=0)

    assert [each for each in rules if each.lead.before.days < 0] == []


def test_who_left_the_event_is_told_nothing_whatever_names_them():
    wedding = event(day=DAY)
    details = TaskDetails(
        usual=True,
        payment=Payment(50_000_00, "DZD", vendor_id=BILAL),
        choices=(Choice(CELIA, True),),
    )
    deposit = replace(task(wedding, OnDay(DAY), assignee_id=CELIA), details=details)
    members = [member(wedding), member(wedding, BILAL, Role.VENDOR), member(wedding, CELIA)]

    def told(*those):
        given = Inputs(wedding, those, [deposit], [rule(wedding, user_id=CELIA)], {})
        return {firing.user_id for firing in plan(given, until=FAR)}

    assert told(*members) == {BILAL, CELIA}
    assert told(members[0]) == {AMINA}


def test_a_new_lead_of_ones_own_makes_up_for_nothing_that_had_passed():
    wedding = event(day=None)
    usual = replace(task(wedding, OnDay(DAY)), details=TaskDetails(usual=True, nag=False))
    since = datetime(2027, 7, 20, tzinfo=UTC)
    own = says(normal=Usual(since, leads=(UsualLead(20), UsualLead(2), UsualLead(7))))

    firings = plan(Inputs(wedding, [member(wedding)], [usual], [], {AMINA: own}), until=FAR)

    # Seven days before are the product's too: they were always so.
    assert [(DAY - firing.due_at.date()).days for firing in firings] == [7, 2]


def test_who_changes_a_task_changes_nothing_that_users_asked_for_themselves():
    about = task(event())
    mine = replace(
        about.details,
        snoozes=(Snooze(uuid.uuid4(), AMINA, LONG_SINCE, 1, LONG_SINCE),),
        choices=(Choice(BILAL, True),),
        reopened_at=LONG_SINCE,
    )

    changed = revised(
        replace(about, details=mine),
        title="Fleurs",
        due=about.due,
        assignee_id=None,
        details=TaskDetails(usual=True),
        now=FAR,
    )

    assert changed.details == replace(mine, usual=True)


async def test_changing_ones_ways_changes_what_is_planned(anywhere):
    room = anywhere
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone="Africa/Algiers", day=date(2026, 4, 2), at=None
    )
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ")
    await room.tasks.create(
        user(AMINA),
        sheet.event.id,
        title="Fleurs",
        due=OnDay(date(2026, 4, 2)),
        details=TaskDetails(usual=True, nag=False),
    )
    await room.planner.step()
    before = await room.firings.upcoming(AMINA, cursor=None, limit=9)

    own = Own(leads=(UsualLead(5), UsualLead(minutes=None, days=1, at=time(18))))
    await room.defaults.put(user(AMINA), clock=time(10), occasions={Occasion.NORMAL: own})
    await room.planner.step()
    after = await room.firings.upcoming(AMINA, cursor=None, limit=9)
    await room.defaults.put(user(AMINA), clock=None, occasions={})
    await room.planner.step()

    assert [each.due_at.day for each in before.items] == [26, 2]
    assert [(each.due_at.day, each.due_at.hour) for each in after.items] == [(28, 9), (1, 17)]
    assert await room.firings.upcoming(AMINA, cursor=None, limit=9) == before


async def test_a_profile_put_again_keeps_ones_ways(room):
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ")
    await room.defaults.put(user(AMINA), clock=time(7), occasions={Occasion.KEY: Own(on=False)})

    await room.people.put(user(AMINA), zone="Europe/Paris", locale="fr")

    clock, found = await room.defaults.get(user(AMINA))
    assert (clock, found[Occasion.KEY].on, found[Occasion.KEY].own) == (time(7), False, True)
    assert found[Occasion.NORMAL].leads == PRODUCT[Occasion.NORMAL]


async def test_ones_profile_zone_and_ways_may_be_said_at_once(anywhere):
    """As an app does when it starts."""
    ways = {Occasion.NORMAL: Own(leads=(UsualLead(3),))}
    await anywhere.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ")

    await asyncio.gather(
        anywhere.people.put(user(AMINA), zone="Africa/Algiers", locale="ar-DZ", hijri=True),
        anywhere.people.report_zone(user(AMINA), zone="Europe/Paris", confirmed=True),
        anywhere.defaults.put(user(AMINA), clock=time(8), occasions=ways),
    )

    kept = await anywhere.people.get(user(AMINA))
    assert (kept.locale, kept.device_zone, kept.clock) == ("ar-DZ", "Europe/Paris", time(8))


@pytest.mark.parametrize(
    ("occasion", "leads"),
    [
        (Occasion.NORMAL, [UsualLead(minutes=30)]),
        (Occasion.NORMAL, [UsualLead()]),
        (Occasion.NORMAL, [UsualLead(1, minutes=3)]),
        (Occasion.NORMAL, [UsualLead(1), UsualLead(1, time(18))]),
        (Occasion.NORMAL, [UsualLead(days) for days in range(6)]),
        (Occasion.NORMAL, [UsualLead(731)]),
        (Occasion.NORMAL, [UsualLead(-1)]),
        (Occasion.APPOINTMENT, [UsualLead(minutes=0)]),
        (Occasion.APPOINTMENT, [UsualLead(minutes=40_321)]),
        (Occasion.APPOINTMENT, [UsualLead(at=time(9), minutes=30)]),
        (Occasion.OVERDUE, [UsualLead(1)]),
        (Occasion.EVENT_EVE, [UsualLead(2)]),
        (Occasion.EVENT_DAY, []),
    ],
)
async def test_ways_that_mean_nothing_are_refused(room, occasion, leads):
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ")

    with pytest.raises(InvalidInput, match="leads"):
        await room.defaults.put(
            user(AMINA), clock=None, occasions={occasion: Own(leads=tuple(leads))}
        )


async def test_ones_ways_may_be_as_far_apart_as_these_and_said_again_are_the_same(room):
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ")
    days, minutes = (0, 1, 7, 30, FARTHEST_DAYS), (1, FARTHEST_MINUTES)
    ways = {
        Occasion.NORMAL: Own(leads=tuple(map(UsualLead, days))),
        Occasion.APPOINTMENT: Own(leads=tuple(UsualLead(minutes=each) for each in minutes)),
        Occasion.EVENT_DAY: Own(leads=(UsualLead(0, time(7)),)),
    }
    await room.defaults.put(user(AMINA), clock=None, occasions=ways)
    before = await room.people.get(user(AMINA))
    room.clock.move(hours=1)

    await room.defaults.put(user(AMINA), clock=None, occasions=ways)

    assert await room.people.get(user(AMINA)) == before
    assert {each: Own(said.on, said.leads) for each, said in before.usual.items()} == ways


async def test_ones_ways_need_a_profile(room):
    with pytest.raises(ProfileNotFound):
        await room.defaults.get(user(BILAL))
    with pytest.raises(InvalidInput, match="user_id"):
        await room.defaults.get(server())


async def test_each_chooses_for_oneself_and_only_of_what_they_see(room):
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone="Africa/Algiers", day=DAY, at=None
    )
    here = sheet.event.id
    for other, role in ((BILAL, Role.COLLABORATOR), (DARIO, Role.GUEST)):
        await room.events.put_member(user(AMINA), here, user_id=other, role=role)
    asked = await room.tasks.create(user(AMINA), here, title="Fleurs", due=OnDay(DAY))
    choose = room.choosing.choose

    mine = await choose(user(AMINA), here, asked.id, usual=True, nag=False)
    theirs = await choose(server(), here, asked.id, usual=False, nag=True, user_id=BILAL)

    assert (mine, theirs) == (Choice(AMINA, True, nag=False), Choice(BILAL, False))
    kept = (await room.tasks.get(user(AMINA), here, asked.id)).task
    assert set(kept.details.choices) == {mine, theirs}
    with pytest.raises(TaskNotFound):
        await choose(user(DARIO), here, asked.id, usual=True, nag=True)
    with pytest.raises(InvalidInput, match="user_id"):
        await choose(server(), here, asked.id, usual=True, nag=True, user_id=DARIO)
    with pytest.raises(EventNotFound):
        await choose(user(CELIA), here, asked.id, usual=True, nag=True)
    await choose(user(AMINA), here, asked.id, usual=None, nag=True)
    kept = (await room.tasks.get(user(AMINA), here, asked.id)).task
    assert kept.details.choices == (theirs,)


async def test_it_is_explained_which_layer_won_and_what_it_left_out(room):
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone="Africa/Algiers", day=date(2026, 4, 2), at=None
    )
    here = sheet.event.id
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ")
    asked = await room.tasks.create(
        user(AMINA),
        here,
        title="Fleurs",
        due=OnDay(date(2026, 4, 2)),
        details=TaskDetails(usual=True, nag=False),
    )
    await room.rules.put(
        user(AMINA),
        here,
        rule_id=rule(sheet.event).id,
        task_id=asked.id,
        user_id=None,
        lead=CalendarLead(Offset(days=2), time(9)),
        exact=True,
    )
    await room.defaults.put(
        user(AMINA), clock=None, occasions={Occasion.NORMAL: Own(leads=(UsualLead(7),))}
    )

    found = (await room.explain.of(user(AMINA), here, asked.id)).traces

    assert [(each.layer, each.state) for each in found] == [
        (Layer.TASK, State.PLANNED),
        (Layer.USER, State.PLANNED),
        (Layer.USER, State.OFF),
    ]
    assert found[2].reason == "the user has chosen other reminders of such tasks"


async def test_it_is_explained_how_early_each_rule_speaks(room):
    here, asked = await _asked(room)

    found = (await room.explain.of(user(AMINA), here, asked)).traces

    assert [each.lead for each in found][:3] == [
        "7 days before at 09:00",
        "on the day at 09:00",
        "1 day after at 09:00",
    ]


async def test_who_wants_no_reminders_is_not_told_that_they_will_come(room):
    here, asked = await _asked(room)
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ", muted=True)

    found = (await room.explain.of(user(AMINA), here, asked)).traces
    of_event = (await room.explain.of_event(user(AMINA), here)).traces

    held = (State.HELD, "the user wants no reminders")
    assert {(each.state, each.reason) for each in found} == {held}
    assert held in {(each.state, each.reason) for each in of_event}
    assert all(each.due_at is not None for each in found)


async def test_what_operators_hold_back_is_explained_so(room):
    here, asked = await _asked(room)
    await room.operating.pause(server(), FiringClass.POLICY_FAR)

    first, second, *_ = (await room.explain.of(user(AMINA), here, asked)).traces

    assert (first.state, first.reason) == (State.HELD, "operators hold back policy_far")
    assert second.state is State.PLANNED


async def test_a_guest_is_not_told_that_they_came_too_late(room):
    here, _ = await _asked(room)
    await room.events.put_member(user(AMINA), here, user_id=BILAL, role=Role.GUEST)

    found = (await room.explain.of_event(user(BILAL), here)).traces

    assert {(each.state, each.reason) for each in found} == {
        (State.NOT_CONCERNED, "guests are not told of the event itself")
    }


async def _asked(room):
    """Amina's event in April, and a task that is spoken of as usual."""
    await room.people.put(user(AMINA), zone="Africa/Algiers", locale="fr-DZ")
    day = date(2026, 4, 2)
    sheet = await room.events.create(
        user(AMINA), title="Mariage", zone="Africa/Algiers", day=day, at=None, usual=True
    )
    usual = TaskDetails(usual=True)
    task = await room.tasks.create(
        user(AMINA), sheet.event.id, title="Fleurs", due=OnDay(day), details=usual
    )
    return sheet.event.id, task.id
