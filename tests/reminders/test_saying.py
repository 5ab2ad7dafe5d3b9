"""Several reminders for one user at once become one notice."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from msgspec import structs

from kernel.notices import Urgency
from reminders.firing import DueFiring, FiringClass, Outcome
from reminders.rules import plan
from reminders.saying import Said, said_alone, said_together
from reminders.types import AtWall, Inputs
from tests.support.factories_reminders import AMINA, SIGNER, event, member, person, rule, task


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


def said(given, outcome=Outcome.FIRED):
    now = given[0].firing.due_at
    alone = [
        Said(due, outcome, said_alone(due, now=now, default_locale="en", signer=SIGNER))
        for due in given
    ]
    pushes = said_together(alone, now=now, default_locale="en", signer=SIGNER)
    return [push.notice for push in pushes]


def test_one_firing_says_what_is_due_when_and_leads_there():
    (due,) = dues("Essayage", 1)
    firing = due.firing

    (notice,) = said([due])

    assert notice.user_ids == (AMINA,)
    assert (notice.template, notice.category) == ("task.reminder", "reminders")
    assert notice.urgency is Urgency.TRANSACTIONAL
    assert notice.variables == {
        "task": "Essayage",
        "event": due.event.title,
        "when": "vendredi 16 juillet à 10:00",
    }
    assert notice.dedupe_key == f"reminder:{notice.collapse_key}"
    assert notice.thread == f"event:{due.event.id}"
    assert notice.link == f"/events/{due.event.id}/tasks/{firing.task_id}"
    assert notice.data["task_id"] == str(firing.task_id)


@pytest.mark.parametrize(("useful", "lives"), [(timedelta(days=9), 24), (timedelta(hours=2), 2)])
def test_a_notice_lives_a_day_and_never_longer_than_it_is_of_use(useful, lives):
    (due,) = dues("Essayage", 1)
    at = due.firing.due_at
    (notice,) = said([replace(due, firing=structs.replace(due.firing, useful_until=at + useful))])

    assert notice.expires_at == at + timedelta(hours=lives)


@pytest.mark.parametrize("owed", [FiringClass.PAYMENT, FiringClass.PAYMENT_LATE])
def test_what_somebody_is_owed_is_told_though_it_is_past_its_use(owed):
    """To who wants no digest, that is."""
    (due,) = dues("Acompte", 1)
    at = due.firing.due_at
    late = structs.replace(due.firing, firing_class=owed, useful_until=at)

    (notice,) = said([replace(due, firing=late)], Outcome.FOLDED)

    assert notice.expires_at == at + timedelta(hours=24)


def test_who_has_no_profile_reads_the_default_language_on_the_events_clock():
    (due,) = dues("Essayage", 1)

    (notice,) = said([replace(due, person=None)])

    assert notice.variables["when"] == "Friday 16 July at 10:00"


@pytest.mark.parametrize("title", ["Essayage", "l'essai {n}", "{}", "'{'a'}'", "{'", "«الفستان»"])
def test_a_title_is_said_as_it_is_whatever_it_looks_like(title):
    (notice,) = said(dues(title))

    lines = notice.variables["lines"]
    assert lines.splitlines()[0] == f"\u2068{title}\u2069 · vendredi 16 juillet à 10:00"


def test_two_reminders_stay_two_unless_they_came_too_late():
    two = dues("Essayage", 2)

    assert [notice.variables["task"] for notice in said(two)] == ["Essayage", "Essayage"]
    (notice,) = said(two, Outcome.FOLDED)
    assert (notice.data["count"], notice.template) == ("2", "task.missed")


def test_other_minutes_are_told_apart():
    given = dues("Essayage")
    later = structs.replace(given[0].firing, due_at=given[0].firing.due_at + timedelta(minutes=1))

    assert len(said([replace(given[0], firing=later), *given[1:]])) == 3


@pytest.mark.parametrize(
    ("firing_class", "exact"),
    [
        (FiringClass.EXACT_ELAPSED, True),
        (FiringClass.EXACT_CALENDAR, True),
        (FiringClass.POLICY_FAR, False),
        (FiringClass.POLICY_NEAR, False),
        (FiringClass.NAG, False),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_notice_is_exact_when_somebody_chose_its_time_and_it_is_not_late(
    firing_class, exact, count
):
    given = [
        replace(due, firing=structs.replace(due.firing, firing_class=firing_class))
        for due in dues("Essayage", count)
    ]

    overdue = {each.variables.get("overdue") for each in said(given)}
    assert overdue == {"1" if count == 1 and firing_class is FiringClass.NAG else None}
    assert [each.exact for each in said(given)] == [exact]
    assert [each.exact for each in said(given, Outcome.FOLDED)] == [False]
