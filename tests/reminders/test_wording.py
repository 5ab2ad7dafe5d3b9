"""Days and times as people write them."""

from datetime import UTC, date, datetime, time

import pytest

from reminders.types import Due
from reminders.wording import language_of, when_text

NOW = datetime(2027, 7, 1, 8, tzinfo=UTC)
WEDDING = Due(date(2027, 7, 23))
FITTING = Due(date(2027, 7, 16), time(9, 5), "Africa/Algiers")


@pytest.mark.parametrize(
    ("locale", "due", "text"),
    [
        ("fr-DZ", WEDDING, "vendredi 23 juillet"),
        ("fr", Due(date(2027, 8, 1)), "dimanche 1er août"),
        ("ar-DZ", WEDDING, "الجمعة 23 جويلية"),
        ("ar", Due(date(2027, 8, 1)), "الأحد 1 أوت"),
        ("en", WEDDING, "Friday 23 July"),
        ("fr_DZ", FITTING, "vendredi 16 juillet à 09:05"),
        ("ar_DZ", FITTING, "الجمعة 16 جويلية على الساعة 09:05"),
        ("en-GB", FITTING, "Friday 16 July at 09:05"),
        ("fr", Due(date(2028, 2, 29)), "mardi 29 février 2028"),
        ("ar", Due(date(2028, 1, 1)), "السبت 1 جانفي 2028"),
        ("de", WEDDING, "Friday 23 July"),
    ],
)
def test_a_due_reads_as_people_there_write_it(locale, due, text):
    assert when_text(due, locale=locale, viewer_zone="Africa/Algiers", now=NOW) == text


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("fr", "vendredi 16 juillet à 09:05 (Algiers)"),
        ("ar", "الجمعة 16 جويلية على الساعة 09:05 (Algiers)"),
        ("en", "Friday 16 July at 09:05 (Algiers)"),
    ],
)
def test_the_place_is_named_only_where_the_clocks_differ(locale, text):
    summer_in_paris = when_text(FITTING, locale=locale, viewer_zone="Europe/Paris", now=NOW)
    same_clock = when_text(FITTING, locale=locale, viewer_zone="Africa/Tunis", now=NOW)

    assert summer_in_paris == text
    assert "(" not in same_clock


def test_every_month_has_a_name_of_its_own():
    for locale in ("ar", "fr", "en"):
        texts = {
            when_text(Due(date(2027, month, 2)), locale=locale, viewer_zone="UTC", now=NOW)
            for month in range(1, 13)
        }
        assert len({text.split()[2] for text in texts}) == 12


def test_the_language_is_the_first_part_of_a_locale():
    assert [language_of(name) for name in ("AR", "fr-CA", "ar_DZ", "zh-Hant", "")] == [
        "ar",
        "fr",
        "ar",
        "en",
        "en",
    ]
