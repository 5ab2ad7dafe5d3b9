"""What becomes of a due firing."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from msgspec import structs

from reminders.firing import DueFiring, Judgement, Outcome
from reminders.handover import judge
from reminders.person import Person, Ramadan
from reminders.placing import USUAL_SPREAD, jitter_of
from reminders.rules import plan
from reminders.types import AtWall, CalendarLead, Inputs, Offset, OnDay
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
    return judge(due, now=FIRING.due_at + late)


def test_a_firing_that_still_holds_goes_off():
    assert judged() == Judgement(Outcome.FIRED)


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
    assert judged(due).outcome is outcome


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

    judgement = judge(due, now=firing.due_at + timedelta(hours=12))

    assert judgement.outcome is Outcome.FOLDED
    assert judgement.reason == "later than its grace"


POLICY = structs.replace(RULE, exact=False)
(POLITE,) = plan(
    Inputs(WEDDING, [member(WEDDING)], [FITTING], [POLICY], {}),
    until=datetime(2028, 1, 1, tzinfo=UTC),
)
RAMADAN = Ramadan(1449, POLITE.nominal_day - timedelta(days=20), POLITE.nominal_day)
"""A month that nobody computed."""


def test_policy_waits_when_it_is_quiet_since_it_was_planned():
    due = replace(DUE, firing=POLITE)

    judgement = judge(due, now=POLITE.due_at, ramadans=[RAMADAN])

    assert (judgement.outcome, judgement.reason) == (Outcome.DEFERRED, "ramadan")
    # Quiet ends for everybody at once: each is told a little later.
    ends = datetime(2027, 7, 15, 9, 30, tzinfo=UTC)
    assert judgement.until == ends + jitter_of(AMINA, USUAL_SPREAD)
    assert judge(DUE, now=FIRING.due_at, ramadans=[RAMADAN]) == Judgement(Outcome.FIRED)


def test_policy_that_cannot_wait_is_not_said_in_the_middle_of_the_night():
    due = replace(
        DUE,
        firing=structs.replace(POLITE, useful_until=POLITE.due_at + timedelta(hours=20)),
    )

    night = judge(due, now=POLITE.due_at + timedelta(hours=14))

    assert night.outcome is Outcome.EXPIRED
    assert night.reason == "quiet hours until it is no longer useful"


def test_policy_waits_only_for_a_time_at_which_it_is_of_use():
    night, morning = POLITE.due_at + timedelta(hours=14), datetime(2027, 7, 16, 7, 30, tzinfo=UTC)

    def judged_until(useful_until):
        firing = structs.replace(POLITE, useful_until=useful_until)
        anywhen = replace(FITTING, due=OnDay(date(2027, 7, 16)))
        return judge(replace(DUE, firing=firing, task=anywhen), now=night).outcome

    assert judged_until(morning) is Outcome.EXPIRED
    assert judged_until(morning + timedelta(seconds=1)) is Outcome.DEFERRED


def test_what_was_planned_shortly_before_the_quiet_may_be_a_little_late():
    evening = datetime(2027, 7, 15, 20, 25, tzinfo=UTC)
    due = replace(DUE, firing=structs.replace(POLITE, due_at=evening))

    late = judge(due, now=evening + timedelta(minutes=30))
    later = judge(due, now=evening + timedelta(minutes=30, seconds=1))

    assert (late.outcome, later.outcome) == (Outcome.FIRED, Outcome.DEFERRED)
