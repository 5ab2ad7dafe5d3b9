"""Public holidays."""

from datetime import date, timedelta

import pytest

from reminders.holidays import holiday_on
from reminders.person import Ramadan


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 1, 12), "Yennayer"),
        (date(2026, 7, 5), "Fête de l’Indépendance"),
        # Of the calendar of Umm al-Qura.
        (date(2026, 3, 20), "Aïd el-Fitr"),
        (date(2026, 5, 27), "Aïd el-Adha"),
        (date(2026, 6, 16), "Awal Mouharram"),
        (date(2026, 6, 25), "Achoura"),
    ],
)
def test_holidays_are_known(day, name):
    assert holiday_on(day, "DZ") == name


def test_eid_follows_the_ramadan_that_an_operator_knows():
    known = [Ramadan(1447, date(2026, 2, 19), date(2026, 3, 20))]
    days = [date(2026, 3, 19) + timedelta(days=each) for each in range(6)]

    celebrated = [day.day for day in days if holiday_on(day, "DZ", known) is not None]

    assert celebrated == [21, 22, 23]


def test_of_other_countries_none_are_known():
    assert holiday_on(date(2026, 7, 5), "FR") is None
