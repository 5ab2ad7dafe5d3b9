"""The Hijri calendar, and what differs by country."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.countries import country_of, fasts, is_weekend
from reminders.hijri import FIRST_ON, LAST_ON, computed_ramadan, hijri_of, hijri_text
from reminders.types import Due
from reminders.wording import when_text

WEDDING = date(2027, 7, 23)


@pytest.mark.parametrize(
    ("language", "text"),
    [("ar", "19 صفر 1449 هـ"), ("fr", "19 safar 1449 H"), ("en", "19 Safar 1449 AH")],
)
def test_a_day_is_written_in_each_language(language, text):
    assert hijri_text(WEDDING, language) == text


def test_a_hijri_date_stands_beside_the_other_for_who_wants_it():
    now = datetime(2027, 7, 1, tzinfo=UTC)

    text = when_text(Due(WEDDING), locale="ar-DZ", viewer_zone="UTC", now=now, hijri=True)

    assert text == "الجمعة 23 جويلية (19 صفر 1449 هـ)"


def test_ramadan_as_the_calendar_has_it():
    ramadan = computed_ramadan(1448)

    assert (ramadan.starts_on, ramadan.ends_on) == (date(2027, 2, 8), date(2027, 3, 8))


@given(st.dates(FIRST_ON, LAST_ON))
def test_every_day_that_the_calendar_knows_has_a_date_and_every_language_a_text(day):
    found = hijri_of(day)

    assert found is not None
    assert 1 <= found.month <= 12
    assert 1 <= found.day <= 30
    assert all(hijri_text(day, language) for language in ("ar", "fr", "en"))


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(2100, 1, 1)])
def test_a_day_outside_the_calendar_has_no_date(day):
    assert hijri_of(day) is None
    assert hijri_text(day, "fr") == ""


@pytest.mark.parametrize(
    ("locale", "zone", "country"),
    [
        ("fr-DZ", "Europe/Paris", "DZ"),
        ("ar_DZ", "UTC", "DZ"),
        ("ar", "Africa/Algiers", "DZ"),
        ("zh-Hant-TW", "UTC", "TW"),
        ("fr", "UTC", ""),
    ],
)
def test_the_locale_says_which_country_else_the_zone(locale, zone, country):
    assert country_of(locale, zone) == country


def test_the_weekend_is_friday_and_saturday_in_algeria_and_the_days_after_in_france():
    friday, saturday, sunday = (date(2027, 7, day) for day in (23, 24, 25))

    assert [is_weekend(day, "DZ") for day in (friday, saturday, sunday)] == [True, True, False]
    assert [is_weekend(day, "FR") for day in (friday, saturday, sunday)] == [False, True, True]
    assert (fasts("DZ"), fasts("FR")) == (True, False)
