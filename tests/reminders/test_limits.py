"""How much of everything there may be."""

import uuid
from datetime import date, time, timedelta

import pytest

from kernel.errors import InvalidInput
from reminders import limits
from reminders.nearby import Nearby
from reminders.types import (
    AtWall,
    CalendarLead,
    ElapsedLead,
    FromEvent,
    Offset,
    OnDay,
    Payment,
    TaskDetails,
)
from tests.support.factories_reminders import AMINA, BILAL, event, rule, task

WEDDING = event()
JOB = task(WEDDING)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  Salle des fêtes ", "Salle des fêtes"),
        ("حجز القاعة", "حجز القاعة"),
        ("\u202eevil\u202c \u2067x\u2069\u200f", "evil x"),
        ("Acompte\u00a0: 50\u202f%", "Acompte\u00a0: 50\u202f%"),
        ("👩🏽\u200d🎤", "👩🏽\u200d🎤"),
        ("x" * 200, "x" * 200),
    ],
)
def test_a_title_loses_only_what_would_turn_the_text_around_it(text, title):
    assert limits.checked_title(text) == title


@pytest.mark.parametrize(
    "text", ["", "  ", "\u202e", "x" * 201, "a\nb", "a\0b", "\ud800", "a\u2028b", "\x1b[31m"]
)
def test_a_title_that_says_nothing_or_too_much_or_breaks_the_line_is_refused(text):
    with pytest.raises(InvalidInput):
        limits.checked_title(text)


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (TaskDetails(notes="a\0b"), "details.notes"),
        (TaskDetails(notes="\x1b[31m"), "details.notes"),
        (TaskDetails(notes="\ud800"), "details.notes"),
        (TaskDetails(payment=Payment(1, "DZD", "Salle\x07")), "details.payment.vendor"),
        (TaskDetails(payment=Payment(1, "DZD", "Salle\nNora")), "details.payment.vendor"),
        (TaskDetails(nearby=(Nearby("Ici", 0, 0), Nearby("\0", 0, 0))), "details.nearby[1].label"),
    ],
)
def test_what_is_none_to_read_is_refused_by_its_field(details, field):
    with pytest.raises(InvalidInput) as refused:
        limits.checked_details(details, None)

    assert refused.value.details["field"] == field


def test_notes_have_lines():
    notes = TaskDetails(notes="Salle :\r\n\t- 300 places\u2028\u202bقاعة\u202c")

    assert limits.checked_details(notes, None) == notes


@pytest.mark.parametrize(
    "due",
    [
        OnDay(date(1999, 12, 31)),
        OnDay(date(2100, 1, 1)),
        AtWall(date(2027, 1, 1), time(9), "+01:00"),
        FromEvent(Offset(months=-25)),
        FromEvent(Offset(days=900)),
    ],
)
def test_dues_that_nobody_can_mean_are_refused(due):
    with pytest.raises(InvalidInput):
        limits.checked_due(due)


@pytest.mark.parametrize(
    "lead",
    [
        CalendarLead(Offset(days=-1), time(9)),
        CalendarLead(Offset(months=24, days=1), time(9)),
        ElapsedLead(timedelta(0)),
        ElapsedLead(timedelta(days=28, minutes=1)),
    ],
)
def test_leads_that_are_negative_or_endless_are_refused(lead):
    with pytest.raises(InvalidInput):
        limits.checked_lead(lead)


def test_the_longest_leads_are_accepted():
    for lead in (CalendarLead(Offset(months=24), time(9)), ElapsedLead(timedelta(days=28))):
        assert limits.checked_lead(lead) == lead


def test_a_user_may_be_told_of_one_task_by_five_rules_whatever_they_are_about():
    of_all = [rule(WEDDING) for _ in range(2)]
    of_mine = [rule(WEDDING, about=JOB, user_id=AMINA) for _ in range(3)]

    assert not limits.is_crowded(of_all + of_mine)
    assert limits.is_crowded([*of_all, *of_mine, rule(WEDDING, about=JOB)])
    assert limits.is_crowded([*of_all, *of_mine, rule(WEDDING, user_id=AMINA)])


def test_rules_about_other_tasks_and_users_do_not_count():
    other = task(WEDDING, id=uuid.uuid4())
    mine = [rule(WEDDING, about=JOB, user_id=AMINA) for _ in range(5)]
    theirs = [rule(WEDDING, about=JOB, user_id=BILAL) for _ in range(5)]
    elsewhere = [rule(WEDDING, about=other, user_id=AMINA) for _ in range(5)]

    assert not limits.is_crowded(mine + theirs + elsewhere)


@pytest.mark.parametrize("user_id", ["", "a b", "x" * 129, "\ud800", "a\0"])
def test_a_text_that_can_name_nobody_is_refused(user_id):
    with pytest.raises(InvalidInput):
        limits.checked_user(user_id)
