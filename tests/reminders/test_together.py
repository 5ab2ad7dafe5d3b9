"""Several reminders for one user at once become one notice."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from icu4py.messageformat import MessageFormat

from kernel.notices import notice_of
from reminders.firing import DueFiring, Judgement, Outcome
from reminders.handover import judge
from reminders.rules import plan
from reminders.together import judged_together
from reminders.types import AtWall, Inputs
from tests.support.factories_reminders import AMINA, event, member, person, rule, task


def dues(title, count=3):
    """So many due reminders of one event in one minute."""
    wedding = event(day=None)
    due = AtWall(date(2027, 7, 16), time(10), "Africa/Algiers")
    tasks = [task(wedding, due, title=title) for _ in range(count)]
    firings = plan(
        Inputs(wedding, [member(wedding)], tasks, [rule(wedding)], {}),
        until=datetime(2028, 1, 1, tzinfo=UTC),
    )
    by_id = {each.id: each for each in tasks}
    return [
        DueFiring(firing, wedding, by_id[firing.task_id], person(AMINA), standing=True)
        for firing in firings
    ]


def judged(given):
    now = given[0].firing.due_at
    return judged_together(given, lambda due: judge(due, now=now, default_locale="en"), now=now)


@pytest.mark.parametrize("title", ["Essayage", "l'essai {n}", "{}", "'{'a'}'", "{'", "«الفستان»"])
def test_a_title_is_said_as_it_is_whatever_it_looks_like(title):
    entries = [entry for judgement in judged(dues(title)) for entry in judgement.entries]

    (entry,) = entries
    _, body = notice_of(entry.payload).texts["fr"]
    said = MessageFormat(body, "fr").format({})
    assert said.splitlines()[0] == f"\u2068{title}\u2069 · vendredi 16 juillet à 10:00"


def test_two_reminders_stay_two_and_what_does_not_go_off_is_not_told():
    two = judged(dues("Essayage", 2))
    given = dues("Essayage")
    done = replace(given[0], task=replace(given[0].task, done_at=given[0].firing.due_at))
    rest = judged([done, *given[1:]])

    assert [len(each.entries) for each in two] == [1, 1]
    assert [each.outcome for each in rest] == [Outcome.DONE, Outcome.FIRED, Outcome.FIRED]
    assert [len(each.entries) for each in rest] == [0, 1, 1]


def test_other_minutes_are_told_apart():
    given = dues("Essayage")
    later = replace(given[0].firing, due_at=given[0].firing.due_at + timedelta(minutes=1))
    found = judged([replace(given[0], firing=later), *given[1:]])

    assert [len(each.entries) for each in found] == [1, 1, 1]
    assert all(isinstance(each, Judgement) for each in found)
