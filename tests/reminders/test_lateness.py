"""How late is too late."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.firing import FiringClass
from reminders.lateness import Decision, class_of, decide, grace_of, useful_until_of
from reminders.types import CalendarLead, Due, ElapsedLead, Offset, Payment, Priority, TaskDetails
from tests.support.factories_reminders import event, rule, task

NINE = datetime(2027, 7, 22, 8, tzinfo=UTC)
"""09:00 in Algiers, the day before."""
ALL_DAY = Due(date(2027, 7, 23))
TIMED = Due(date(2027, 7, 23), time(14), "Africa/Algiers")
ORDER = [Decision.SEND, Decision.FOLD, Decision.EXPIRE]


@pytest.mark.parametrize(
    ("lead", "exact", "expected"),
    [
        (ElapsedLead(timedelta(minutes=90)), True, FiringClass.EXACT_ELAPSED),
        (ElapsedLead(timedelta(minutes=120)), False, FiringClass.POLICY_NEAR),
        (CalendarLead(Offset(days=30), time(9)), True, FiringClass.EXACT_CALENDAR),
        (CalendarLead(Offset(days=7), time(9)), False, FiringClass.POLICY_FAR),
        (CalendarLead(Offset(months=1), time(9)), False, FiringClass.POLICY_FAR),
        (CalendarLead(Offset(days=1), time(9)), False, FiringClass.POLICY_NEAR),
        (CalendarLead(Offset(), time(9)), False, FiringClass.POLICY_NEAR),
    ],
)
def test_a_rules_lead_and_origin_are_its_class(lead, exact, expected):
    wedding = event()

    assert class_of(rule(wedding, lead, exact=exact), task(wedding)) is expected


@pytest.mark.parametrize(
    ("firing_class", "grace"),
    [
        (FiringClass.EXACT_ELAPSED, timedelta(minutes=10)),
        (FiringClass.EXACT_CALENDAR, timedelta(minutes=30)),
        (FiringClass.POLICY_NEAR, timedelta(hours=2)),
        (FiringClass.POLICY_FAR, timedelta(hours=11)),
    ],
)
def test_each_class_has_its_grace(firing_class, grace):
    assert grace_of(firing_class, NINE, "Africa/Algiers") == grace


def test_a_payments_class_is_its_own_before_and_after():
    wedding = event()
    details = TaskDetails(payment=Payment(5_000_000, "DZD"))
    deposit = replace(task(wedding), details=details)

    found = [
        class_of(rule(wedding, CalendarLead(Offset(days=days), time(9)), exact=False), deposit)
        for days in (7, 0, -1)
    ]

    assert found == [FiringClass.PAYMENT, FiringClass.PAYMENT, FiringClass.PAYMENT_LATE]


def test_what_matters_little_waits_for_the_digest():
    wedding = event()
    favour = replace(task(wedding), details=TaskDetails(priority=Priority.LOW))

    found = class_of(rule(wedding, CalendarLead(Offset(days=7), time(9)), exact=False), favour)

    assert found is FiringClass.POLICY_LOW


def test_a_far_reminder_of_the_late_evening_has_no_grace():
    late = datetime(2027, 7, 22, 20, tzinfo=UTC)

    assert grace_of(FiringClass.POLICY_FAR, late, "Africa/Algiers") == timedelta(0)


@pytest.mark.parametrize(
    ("firing_class", "due", "until"),
    [
        (FiringClass.EXACT_ELAPSED, TIMED, datetime(2027, 7, 23, 13, tzinfo=UTC)),
        (FiringClass.EXACT_CALENDAR, TIMED, datetime(2027, 7, 23, 23, tzinfo=UTC)),
        (FiringClass.EXACT_CALENDAR, ALL_DAY, datetime(2027, 7, 23, 23, tzinfo=UTC)),
        (FiringClass.POLICY_NEAR, ALL_DAY, datetime(2027, 7, 23, 23, tzinfo=UTC)),
        (FiringClass.POLICY_FAR, TIMED, datetime(2027, 7, 23, 13, tzinfo=UTC)),
        (FiringClass.NAG, ALL_DAY, NINE + timedelta(days=3)),
    ],
)
def test_each_class_is_of_use_until_its_moment(firing_class, due, until):
    assert useful_until_of(firing_class, due, "Africa/Algiers", at=NINE) == until


@pytest.mark.parametrize(
    ("firing_class", "late", "decision"),
    [
        (FiringClass.EXACT_CALENDAR, timedelta(minutes=29), Decision.SEND),
        (FiringClass.EXACT_CALENDAR, timedelta(hours=5), Decision.SEND),
        (FiringClass.POLICY_FAR, timedelta(hours=2), Decision.SEND),
        (FiringClass.POLICY_FAR, timedelta(hours=2, seconds=1), Decision.FOLD),
        (FiringClass.POLICY_FAR, timedelta(hours=12), Decision.EXPIRE),
        (FiringClass.EXACT_ELAPSED, timedelta(hours=12), Decision.EXPIRE),
        # What somebody is owed is told, however late.
        (FiringClass.PAYMENT, timedelta(hours=12), Decision.FOLD),
        (FiringClass.PAYMENT_LATE, timedelta(hours=12), Decision.FOLD),
    ],
)
def test_lateness_is_judged_by_class(firing_class, late, decision):
    found = decide(
        firing_class,
        due_at=NINE,
        grace=timedelta(hours=2),
        useful_until=NINE + timedelta(hours=12),
        now=NINE + late,
    )

    assert found is decision


@given(
    st.sampled_from(FiringClass),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.timedeltas(timedelta(days=-1), timedelta(days=4)),
    st.timedeltas(timedelta(0), timedelta(days=4)),
)
def test_as_time_passes_a_decision_never_turns_back(firing_class, grace, useful, late, more):
    def at(now):
        return decide(firing_class, due_at=NINE, grace=grace, useful_until=NINE + useful, now=now)

    first, later = at(NINE + late), at(NINE + late + more)

    assert ORDER.index(first) <= ORDER.index(later)
