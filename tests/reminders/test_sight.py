"""What members see of an event's tasks: who plans it all, vendors and guests what is theirs."""

import uuid
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import icalendar
import msgspec
import pytest

from kernel.errors import InvalidInput
from kernel.ids import UserId
from kernel.notices import RECALL, recall_of
from reminders import errors
from reminders.digests.digest import Folded, Plan, digest_of
from reminders.digests.turns import Reader
from reminders.feeds.types import Shown, Whose
from reminders.imports.types import State as Imported
from reminders.news import event_changed
from reminders.rules import plan
from reminders.snoozing import Later
from reminders.tracing import State
from reminders.types import (
    Choice,
    Inputs,
    OnDay,
    Payment,
    Role,
    Snooze,
    TaskDetails,
)
from tests.reminders.imports.test_reading import calendar, entry
from tests.support.clock import START
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    day_before,
    event,
    member,
    rule,
    server,
    task,
    user,
)

DAY = date(2026, 3, 10)

RELATIONS = ("assigned to them", "made by them", "owed to them", "none of theirs")


def tasks_of(of, who=BILAL):
    """A task for each relation that a member may have with one."""
    about = [task(of, OnDay(DAY), title=relation) for relation in RELATIONS]
    about[0] = replace(about[0], assignee_id=who)
    about[1] = replace(about[1], created_by=who)
    about[2] = replace(about[2], details=owed(who))
    return {each.title: each for each in about}


def owed(who):
    return TaskDetails(payment=Payment(90_000, "DZD", "Le traiteur", who))


async def a_wedding(room, role, who=BILAL):
    of = event()
    about = tasks_of(of, who)
    await room.calendar.create(of, member(of))
    changes = [member(of, who, role), *about.values()]
    await room.calendar.change(of.id, lambda _: changes, now=START)
    return of.id, about


# Each thing that is done with one task, by each role, whatever the task is to them.


async def _get(room, who, event_id, about):
    assert (await room.tasks.get(who, event_id, about.id)).task == about


async def _explain(room, who, event_id, about):
    await room.explain.of(who, event_id, about.id)


async def _remind_me(room, who, event_id, about):
    await room.rules.put(
        who,
        event_id,
        rule_id=uuid.uuid4(),
        task_id=about.id,
        user_id=who.user_id,
        lead=day_before(),
        exact=True,
    )


async def _choose(room, who, event_id, about):
    await room.choosing.choose(who, event_id, about.id, usual=True, nag=True)


async def _snooze(room, who, event_id, about):
    await room.snoozing.snooze(who, event_id, about.id, action_id=uuid.uuid4(), choice=Later.HOUR)


async def _complete(room, who, event_id, about):
    await room.tasks.complete(who, event_id, about.id)


async def _reopen(room, who, event_id, about):
    await room.tasks.reopen(who, event_id, about.id)


async def _update(room, who, event_id, about):
    await room.tasks.update(
        who, event_id, about.id, title="Autre", due=about.due, assignee_id=about.assignee_id
    )


async def _delete(room, who, event_id, about):
    await room.tasks.delete(who, event_id, about.id)


async def _restore(room, who, event_id, about):
    await room.tasks.restore(who, event_id, about.id)


LOOKING = (_get, _explain)
WORKING = (_remind_me, _choose, _snooze, _complete, _reopen)
TAKING_AWAY = (_delete, _restore)


def refusal_of(role, relation, ask):
    """What the table in the documentation says."""
    if role not in (Role.OWNER, Role.COLLABORATOR) and relation == "none of theirs":
        return errors.TaskNotFound
    if ask in LOOKING or ask in WORKING or role is Role.OWNER:
        return None
    if relation == "made by them" and role is not Role.GUEST:
        return None
    return None if ask is _update and role is Role.COLLABORATOR else errors.RoleTooLow


@pytest.mark.parametrize("ask", [*LOOKING, *WORKING, _update, *TAKING_AWAY])
@pytest.mark.parametrize("role", list(Role))
async def test_each_does_with_a_task_what_their_role_and_its_being_theirs_allow(room, role, ask):
    event_id, about = await a_wedding(room, role)

    for relation, each in about.items():
        refusal = refusal_of(role, relation, ask)
        before = (await room.calendar.sheet(event_id)).version
        with pytest.raises(refusal) if refusal else nullcontext():
            await ask(room, user(BILAL), event_id, each)
        if refusal:
            assert (await room.calendar.sheet(event_id)).version == before


async def test_what_is_hidden_is_refused_as_what_is_not_there(room):
    event_id, about = await a_wedding(room, Role.VENDOR)
    told = []
    for task_id in (about["none of theirs"].id, uuid.uuid4()):
        for ask in (room.tasks.get, room.tasks.complete, room.tasks.restore):
            with pytest.raises(errors.TaskNotFound) as refused:
                await ask(user(BILAL), event_id, task_id)
            told.append(refused.value.message)
    assert len(set(told)) == 1


async def test_rules_of_others_about_what_is_hidden_are_as_if_not_there(room):
    event_id, about = await a_wedding(room, Role.VENDOR)
    hidden = about["none of theirs"]
    of = event(id=event_id)
    hers, his = (rule(of, about=hidden, user_id=each) for each in (AMINA, BILAL))
    await room.calendar.change(event_id, lambda _: [hers, his], now=START, task_id=hidden.id)

    for rule_id in (hers.id, uuid.uuid4()):
        with pytest.raises(errors.RuleNotFound):
            await room.rules.drop(user(BILAL), event_id, rule_id=rule_id, task_id=hidden.id)

    # What was theirs when they saw the task, they may take away.
    await room.rules.drop(user(BILAL), event_id, rule_id=his.id, task_id=hidden.id)
    sheet = await room.calendar.sheet(event_id, task_id=hidden.id)
    assert [each.id for each in sheet.rules] == [hers.id]


# Wherever several tasks are met.


@pytest.mark.parametrize("role", list(Role))
async def test_pages_of_tasks_have_only_those_that_one_sees(anywhere, role):
    event_id, about = await a_wedding(anywhere, role)
    found, cursor = [], None
    while True:
        _, page = await anywhere.tasks.of(user(BILAL), event_id, cursor=cursor, limit=2)
        assert len(page.items) == 2 or page.cursor is None
        found += [each.title for each in page.items]
        cursor = page.cursor
        if cursor is None:
            break

    hidden = set() if role in (Role.OWNER, Role.COLLABORATOR) else {"none of theirs"}
    assert sorted(found) == sorted(set(about) - hidden)


async def test_names_are_compared_to_the_letter(anywhere):
    event_id, _ = await a_wedding(anywhere, Role.VENDOR, who=UserId("karim"))
    await anywhere.events.put_member(
        user(AMINA), event_id, user_id=UserId("Karim"), role=Role.VENDOR
    )

    _, page = await anywhere.tasks.of(user(UserId("Karim")), event_id, cursor=None, limit=9)

    assert page.items == []


@pytest.mark.parametrize("whose", list(Whose))
async def test_a_feed_has_only_tasks_that_its_user_sees_however_many_others_there_are(
    anywhere, whose, monkeypatch
):
    event_id, about = await a_wedding(anywhere, Role.VENDOR)
    monkeypatch.setattr("reminders.feeds.feeds.TASKS", 3)
    _, secret = await anywhere.feeds.issue(
        user(BILAL), event_id=event_id, shown=Shown.TODOS, whose=whose
    )

    text = await (await anywhere.feeds.read(secret)).write()

    found = {str(each["SUMMARY"]) for each in icalendar.Calendar.from_ical(text).walk("VTODO")}
    mine = {"assigned to them"}
    assert found == (mine if whose is Whose.MINE else set(about) - {"none of theirs"})


async def test_a_move_shows_a_vendor_what_becomes_of_their_own_tasks(room):
    event_id, about = await a_wedding(room, Role.VENDOR)
    seen = await room.moving.preview(user(BILAL), event_id, day=date(2026, 4, 1), at=None)
    everything = await room.moving.preview(user(AMINA), event_id, day=date(2026, 4, 1), at=None)

    assert (seen.pinned, everything.pinned) == (len(about) - 1, len(about))


def test_news_of_an_event_do_not_say_what_its_tasks_are():
    of = event()
    about = list(tasks_of(of).values())

    entry = event_changed(of.id, 2, about)

    said = msgspec.json.decode(entry.payload)
    assert said == {
        "event_id": str(of.id), "version": 2, "tasks": [str(each.id) for each in about]
    }  # fmt: skip


async def test_an_import_leaves_alone_what_a_vendor_did_not_make(room):
    event_id, _ = await a_wedding(room, Role.VENDOR)
    tasting = entry("DTSTART;VALUE=DATE:20260301", uid="a", summary="Dégustation")
    menu = entry("DTSTART;VALUE=DATE:20260302", uid="b", summary="Menu")
    await room.imports.run(user(AMINA), event_id, calendar=calendar(tasting))
    await room.imports.run(user(BILAL), event_id, calendar=calendar(menu))

    later = [each.replace("2026030", "2026031") for each in (tasting, menu)]
    found = await room.imports.run(user(BILAL), event_id, calendar=calendar(*later))

    assert [(line.state, line.reason) for line in found.lines] == [
        (Imported.REFUSED, "somebody else made it here"),
        (Imported.UPDATED, ""),
    ]
    (line,) = (await room.imports.run(user(AMINA), event_id, calendar=calendar(tasting))).lines
    assert line.state is Imported.UNCHANGED


async def test_nothing_is_hung_below_a_task_that_one_does_not_see(room):
    event_id, about = await a_wedding(room, Role.VENDOR)

    async def hang_below(relation):
        details = TaskDetails(parent_id=about[relation].id)
        return await room.tasks.create(
            user(BILAL), event_id, title="Acompte", due=None, details=details
        )

    assert (await hang_below("owed to them")).details.parent_id == about["owed to them"].id
    with pytest.raises(errors.TaskNotFound):
        await hang_below("none of theirs")


# Whoever does not see a task is not told of it either.


async def test_nobody_is_to_be_told_of_a_task_that_they_do_not_see(room):
    event_id, about = await a_wedding(room, Role.VENDOR)
    hidden = about["none of theirs"].id

    with pytest.raises(InvalidInput, match="user_id"):
        await room.rules.put(
            user(AMINA),
            event_id,
            rule_id=uuid.uuid4(),
            task_id=hidden,
            user_id=BILAL,
            lead=day_before(),
            exact=True,
        )
    with pytest.raises(InvalidInput, match="user_id"):
        await room.choosing.choose(server(), event_id, hidden, usual=True, nag=True, user_id=BILAL)
    with pytest.raises(InvalidInput, match="user_id"):
        await room.snoozing.snooze(
            server(), event_id, hidden, action_id=uuid.uuid4(), choice=Later.HOUR, user_id=BILAL
        )


@pytest.mark.parametrize("role", list(Role))
def test_a_rule_for_all_tasks_tells_a_member_of_those_that_they_see(role):
    of = event()
    about = tasks_of(of)
    people = [member(of), member(of, BILAL, role)]
    inputs = Inputs(of, people, list(about.values()), [rule(of, user_id=BILAL)], {})

    told = {each.task_id for each in plan(inputs, until=START + timedelta(days=365))}

    hidden = set() if role in (Role.OWNER, Role.COLLABORATOR) else {"none of theirs"}
    assert told == {each.id for each in about.values() if each.title not in hidden}


def test_what_a_vendor_chose_or_snoozed_ends_when_the_task_is_theirs_no_more():
    of = event()
    snooze = Snooze(uuid.uuid4(), BILAL, START + timedelta(hours=1))
    details = TaskDetails(usual=True, choices=(Choice(BILAL, usual=True),), snoozes=(snooze,))
    taken = replace(tasks_of(of)["none of theirs"], details=details)
    given = replace(taken, assignee_id=BILAL)

    def told(about):
        inputs = Inputs(of, [member(of), member(of, BILAL, Role.VENDOR)], [about], [], {})
        firings = plan(inputs, until=START + timedelta(days=365))
        return {each.rule_id for each in firings if each.user_id == BILAL}

    assert len(told(given)) > 1
    assert told(taken) == set()


async def test_a_task_that_is_given_to_somebody_else_is_told_to_its_vendor_no_more(room):
    event_id, about = await a_wedding(room, Role.VENDOR)
    mine = about["assigned to them"]
    await _remind_me(room, user(BILAL), event_id, mine)
    await room.planner.step()
    await room.tasks.update(
        user(AMINA), event_id, mine.id, title=mine.title, due=mine.due, assignee_id=None
    )

    told = await room.told_until(datetime(2026, 3, 12, tzinfo=START.tzinfo))
    explained = await room.explain.of(server(), event_id, mine.id, user_id=BILAL)

    assert BILAL not in {each.user_ids[0] for each in told}
    (trace, *_) = explained.traces
    assert (trace.state, trace.reason) == (
        State.NOT_CONCERNED,
        "the task is none that the user sees",
    )


async def test_what_comes_is_listed_of_tasks_that_are_theirs_before_the_plan_follows(anywhere):
    event_id, about = await a_wedding(anywhere, Role.VENDOR)
    of = event(id=event_id)
    lost, gone, kept = (about[each] for each in RELATIONS[:3])
    about_all = rule(of, user_id=BILAL)
    await anywhere.calendar.change(event_id, lambda _: [about_all], now=START)
    await anywhere.planner.step()

    other = replace(lost, assignee_id=AMINA, title="Le prix d'un autre")
    await anywhere.calendar.change(event_id, lambda _: [other], now=START, task_id=lost.id)
    await anywhere.tasks.delete(user(AMINA), event_id, gone.id)

    coming = await anywhere.explain.upcoming(user(BILAL), cursor=None, limit=10)
    assert {each.task_id for each in coming.items} == {kept.id}
    assert "Le prix d'un autre" not in coming.titles.values()


async def test_what_a_vendor_was_told_is_taken_back_when_the_task_is_theirs_no_more(anywhere):
    room = anywhere
    event_id, about = await a_wedding(room, Role.VENDOR)
    mine = about["assigned to them"]
    for who in (AMINA, BILAL):
        await _remind_me(room, user(who), event_id, mine)
    told = await room.told_until(datetime(2026, 3, 9, 18, tzinfo=UTC))
    assert {each.user_ids[0] for each in told} == {AMINA, BILAL}

    for assignee_id in (BILAL, None):
        await room.tasks.update(
            user(AMINA), event_id, mine.id, title="Autre", due=mine.due, assignee_id=assignee_id
        )

    (recall,) = [recall_of(entry.payload) for entry in await room.taken(RECALL)]
    assert recall.user_id == BILAL


def test_a_digest_is_silent_about_what_is_theirs_no_more():
    of = event()
    about = list(tasks_of(of).values())
    reader = Reader(BILAL, None, "Africa/Algiers", frozenset({Role.VENDOR}))
    people = {each.user_id: each for each in (member(of), member(of, BILAL, Role.VENDOR))}
    untold = [Folded(bytes([number]), each.id) for number, each in enumerate(about)]

    found = digest_of(reader, [Plan(of, people, about)], untold, on=DAY, weekly=False)

    assert "none of theirs" not in {line.task.title for line in found.lines}
    assert len(found.lines) == len(about) - 1
