"""Reasons are sentences in the record, and few words in metrics."""

from datetime import date, datetime, time, timedelta

import pytest

from reminders.folding import DIGEST_TELLS, NO_DIGEST
from reminders.handover import UNTIL_USELESS
from reminders.person import Ramadan
from reminders.quiet import Hush
from reminders.reasons import OTHER, word_of

RAMADAN = Ramadan(1447, date(2026, 2, 19), date(2026, 3, 19))
HUSHES = [
    Hush("Africa/Algiers", prays=True, fasts=True, ramadans=(RAMADAN,)),
    Hush("Africa/Algiers", ramadans=(RAMADAN,), works_in="DZ"),
]


def test_whatever_it_is_quiet_for_has_a_word():
    walls = [
        datetime.combine(date(2026, 1, 1) + timedelta(days=days), time(hour))
        for days in range(120)
        for hour in range(24)
    ]
    reasons = {hush.reason(wall) for hush in HUSHES for wall in walls} - {""}
    assert len(reasons) == 8

    words = {word_of(reason) for reason in reasons}

    assert len(words) == 8
    assert OTHER not in words
    for ending in (UNTIL_USELESS, DIGEST_TELLS, NO_DIGEST):
        assert {word_of(reason + ending) for reason in reasons} == words


@pytest.mark.parametrize("error", ["LookupError: no time zone is named 'X'", "refused"])
def test_what_an_error_says_is_one_word_whatever_it_says(error):
    assert word_of(error) == OTHER
