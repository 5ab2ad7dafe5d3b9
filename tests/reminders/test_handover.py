"""What becomes of a due firing."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from kernel.notices import Urgency, notice_of
from reminders.firing import DueFiring, Outcome
from reminders.handover import judge
from reminders.person import Person, Ramadan
from reminders.rules import plan
from reminders.types import AtWall, CalendarLead, Inputs, Offset
from tests.support.factories_reminders import AMINA, LONG_AGO, event, member, person, rule, task

WEDDING = event(day=date(2027, 7, 23))
FITTING = task(WEDDING, AtWall(date(2027, 7, 16), time(10), "Africa/Algiers"), title="Essayage")
RULE = rule(WEDDING, about=FITTING)
(FIRING,) = plan(
    Inputs(WEDDING, [member(WEDDING)], [FITTING], [RULE], {}),
    until=datetime(2028, 1, 1, tzinfo=UTC),
)
DUE = DueFiring(FIRING, WEDDING, FITTING, person(AMINA), standing=True)


def judged(due=DUE, *, late=timedelta(0)):
    return judge(due, now=FIRING.due_at + late, default_locale="en")


def test_a_firing_that_still_holds_becomes_a_notice():
    judgement = judged()

    assert judgement.outcome is Outcome.FIRED
    (entry,) = judgement.entries
    notice = notice_of(entry.payload)
    assert notice.user_ids == (AMINA,)
    assert (notice.template, notice.category) == ("task.reminder", "reminders")
    assert notice.urgency is Urgency.TRANSACTIONAL
    assert notice.variables == {
        "task": "Essayage",
        "event": WEDDING.title,
        "when": "vendredi 16 juillet à 10:00",
    }
    assert notice.dedupe_key == f"reminder:{notice.collapse_key}"
    assert notice.thread == f"event:{WEDDING.id}"
    assert notice.link == f"/events/{WEDDING.id}/tasks/{FITTING.id}"
    assert notice.data["task_id"] == str(FITTING.id)


def test_a_notice_lives_a_day_and_never_longer_than_it_is_of_use():
    far = replace(DUE, firing=replace(FIRING, useful_until=FIRING.due_at + timedelta(days=9)))

    (entry,) = judged(far).entries
    assert notice_of(entry.payload).expires_at == FIRING.due_at + timedelta(hours=24)

    near = replace(DUE, firing=replace(FIRING, useful_until=FIRING.due_at + timedelta(hours=2)))
    (entry,) = judged(near).entries
    assert notice_of(entry.payload).expires_at == FIRING.due_at + timedelta(hours=2)


def test_who_has_no_profile_reads_the_default_language_on_the_events_clock():
    (entry,) = judged(replace(DUE, person=None)).entries

    assert notice_of(entry.payload).variables["when"] == "Friday 16 July at 10:00"


@pytest.mark.parametrize(
    ("due", "outcome"),
    [
        (replace(DUE, task=None), Outcome.GONE),
        (replace(DUE, task=replace(FITTING, deleted_at=LONG_AGO)), Outcome.GONE),
        (replace(DUE, event=replace(WEDDING, cancelled_at=LONG_AGO)), Outcome.GONE),
        (replace(DUE, standing=False), Outcome.GONE),
        (replace(DUE, task=replace(FITTING, done_at=LONG_AGO, sched_version=2)), Outcome.DONE),
        (replace(DUE, task=replace(FITTING, sched_version=2)), Outcome.STALE),
        (replace(DUE, event=replace(WEDDING, sched_version=2)), Outcome.STALE),
        (replace(DUE, person=Person(AMINA, "Africa/Algiers", "fr", muted=True)), Outcome.MUTED),
    ],
)
def test_what_is_true_now_decides_and_not_what_was_planned(due, outcome):
    judgement = judged(due)

    assert judgement.outcome is outcome
    assert judgement.entries == ()


def test_a_firing_nobody_wants_any_more_expires_with_the_reason():
    judgement = judged(late=timedelta(days=2))

    assert (judgement.outcome, judgement.reason) == (Outcome.EXPIRED, "no longer useful")


def test_a_far_policy_reminder_beyond_its_grace_is_told_with_others():
    policy = rule(WEDDING, CalendarLead(Offset(weeks=1), time(9)), exact=False)
    (firing,) = plan(
        Inputs(WEDDING, [member(WEDDING)], [FITTING], [policy], {}),
        until=datetime(2028, 1, 1, tzinfo=UTC),
    )
    due = replace(DUE, firing=firing)

    judgement = judge(due, now=firing.due_at + timedelta(hours=12), default_locale="en")

    assert judgement.outcome is Outcome.FOLDED
    assert judgement.reason == "later than its grace"


POLICY = replace(RULE, exact=False)
(POLITE,) = plan(
    Inputs(WEDDING, [member(WEDDING)], [FITTING], [POLICY], {}),
    until=datetime(2028, 1, 1, tzinfo=UTC),
)
RAMADAN = Ramadan(1449, POLITE.nominal_day - timedelta(days=20), POLITE.nominal_day)
"""A month that nobody computed."""


def test_policy_waits_when_it_is_quiet_since_it_was_planned():
    due = replace(DUE, firing=POLITE)

    judgement = judge(due, now=POLITE.due_at, default_locale="en", ramadans=[RAMADAN])

    assert (judgement.outcome, judgement.reason) == (Outcome.DEFERRED, "ramadan")
    assert judgement.until == datetime(2027, 7, 15, 9, 30, tzinfo=UTC)
    assert judge(DUE, now=FIRING.due_at, default_locale="en", ramadans=[RAMADAN]).entries


def test_policy_that_cannot_wait_is_not_said_in_the_middle_of_the_night():
    due = replace(DUE, firing=replace(POLITE, useful_until=POLITE.due_at + timedelta(hours=20)))

    night = judge(due, now=POLITE.due_at + timedelta(hours=14), default_locale="en")

    assert (night.outcome, night.entries) == (Outcome.EXPIRED, ())
    assert night.reason == "quiet hours until it is no longer useful"


def test_what_was_planned_shortly_before_the_quiet_may_be_a_little_late():
    evening = datetime(2027, 7, 15, 20, 25, tzinfo=UTC)
    due = replace(DUE, firing=replace(POLITE, due_at=evening))

    late = judge(due, now=evening + timedelta(minutes=10), default_locale="en")
    later = judge(due, now=evening + timedelta(minutes=40), default_locale="en")

    assert (late.outcome, later.outcome) == (Outcome.FIRED, Outcome.DEFERRED)
