"""What calendars, authorities and the Unicode consortium say, and what we say of the same days.

Where ICU has the data (the calendar of Umm al-Qura, CLDR's names) it is asked itself; the rest
are facts that somebody published, named beside each.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st
from icu4py.messageformat import MessageFormat

from reminders.countries import weekend_of
from reminders.due import earlier, moved
from reminders.hijri import hijri_of, hijri_text
from reminders.person import Ramadan
from reminders.placing import SPREAD
from reminders.rules import plan
from reminders.types import CalendarLead, Due, Inputs, Offset, OnDay
from reminders.wording import when_text
from tests.support.factories_reminders import AMINA, BILAL, event, member, person, rule, task
from tests.support.zone_rules import clocks_of

ALGIERS, PARIS = "Africa/Algiers", "Europe/Paris"
DAY = timedelta(days=1)


@cache
def icu(pattern, locale):
    return MessageFormat(f"{{day, date, ::{pattern}}}", locale)


def said_by_icu(pattern, locale, at):
    return icu(pattern, locale).format({"day": at.replace(tzinfo=UTC)})


def test_every_third_day_from_1420_to_1450_is_the_one_that_icu_has_for_umm_al_qura():
    """The years for which the calendar is published; of others tables differ by a day."""
    day, last = date(1999, 4, 17), date(2029, 5, 13)
    assert (hijri_of(day), hijri_of(last + DAY)) == ((1420, 1, 1), (1451, 1, 1))
    while day <= last:
        noon = datetime.combine(day, time(12))
        month, number, rest = said_by_icu("yyyyMMdd", "en-u-ca-islamic-umalqura", noon).split("/")
        assert hijri_of(day) == (int(rest.split()[0]), int(month), int(number)), day
        day += 3 * DAY


USUAL_IN_ALGERIA = {
    "ar": {"ربيع الآخر": "ربيع الثاني", "جمادى الآخرة": "جمادى الثانية"},
    "fr": {
        "dhou al qi`da": "dhou al qiʿda",
        "dhou al-hijja": "dhou al hijja",
        "rabia ath-thani": "rabia al thani",
        "joumada ath-thania": "joumada al thania",
    },
}
"""Where the Ministry of Religious Affairs and the press there do not write what CLDR has."""


@pytest.mark.parametrize("language", ["ar", "fr"])
def test_a_hijri_date_is_written_as_cldr_has_it_or_as_people_in_algeria_do(language):
    day = date(2026, 6, 16)
    for _ in range(13):
        locale = f"{language}-DZ-u-ca-islamic-umalqura-nu-latn"
        shown = said_by_icu("dMMMM", locale, datetime.combine(day, time(12)))
        number, month = shown.split(" ", 1)
        month = USUAL_IN_ALGERIA[language].get(month, month)
        assert hijri_text(day, language).startswith(f"{number} {month} 144"), day
        day += 29 * DAY


@pytest.mark.parametrize(
    ("day", "text"),
    [
        # The Ministry of Religious Affairs, 17 February 2026: the crescent was not seen, Ramadan
        # begins on Thursday the 19th. The calendar of Umm al-Qura has it a day earlier.
        (date(2026, 2, 18), "mercredi 18 février (1 ramadan 1447 H)"),
        # Umm al-Qura, as ICU has it: Ramadan of 1448, the day after it, and the new year 1448.
        (date(2027, 2, 8), "lundi 8 février 2027 (1 ramadan 1448 H)"),
        (date(2027, 3, 9), "mardi 9 mars 2027 (1 chawwal 1448 H)"),
        (date(2026, 6, 16), "mardi 16 juin (1 mouharram 1448 H)"),
        # A date that only leap years have.
        (date(2028, 2, 29), "mardi 29 février 2028 (4 chawwal 1449 H)"),
    ],
)
def test_a_hijri_date_stands_beside_the_other(day, text):
    now = datetime(2026, 1, 5, tzinfo=UTC)

    assert when_text(Due(day), locale="fr-DZ", viewer_zone=ALGIERS, now=now, hijri=True) == text


@settings(max_examples=60)
@given(st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2099-12-31")))
def test_days_and_times_read_as_cldr_has_them_but_for_the_half_days_of_fr_dz_and_ar_dz(at):
    now = clocks_of(ALGIERS).instant(at)
    for locale, same_hours, joined in (
        ("ar-DZ", "ar-DZ-u-hc-h23-nu-latn", " على الساعة "),
        ("fr-DZ", "fr", " à "),
        ("en-GB", "en-GB", " at "),
    ):
        day = said_by_icu("EEEEdMMMM", f"{locale}-u-nu-latn", at).replace("،", "")
        # "1er" is what the Imprimerie nationale's rules ask of French; CLDR has "1".
        day = day.replace(" 1 ", " 1er ") if locale == "fr-DZ" else day
        clock = said_by_icu("HHmm", same_hours, at)

        due = Due(at.date(), at.time(), ALGIERS)

        assert when_text(due, locale=locale, viewer_zone=ALGIERS, now=now) == day + joined + clock


days = st.dates(date(2001, 1, 1), date(2099, 12, 31))


@given(days, st.integers(-24, 24), st.integers(-60, 60), st.integers(-400, 400))
def test_months_weeks_and_days_are_counted_as_dateutil_counts_them(day, months, weeks, number):
    apart = relativedelta(months=months, weeks=weeks, days=number)

    assert moved(day, Offset(months, weeks, number)) == day + apart
    assert earlier(day, Offset(months, weeks, number)) == day - apart


@pytest.mark.parametrize(
    ("day", "months", "found"),
    [
        # The documentation of java.time.LocalDate: plusMonths, plusYears, minusMonths, minusYears.
        (date(2007, 3, 31), 1, date(2007, 4, 30)),
        (date(2008, 2, 29), 12, date(2009, 2, 28)),
        (date(2007, 3, 31), -1, date(2007, 2, 28)),
        (date(2008, 2, 29), -12, date(2007, 2, 28)),
        # The documentation of PostgreSQL, 9.9: date_add and ends of months.
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
    ],
)
def test_the_end_of_a_month_stays_within_the_month(day, months, found):
    assert moved(day, Offset(months=months)) == found


@pytest.mark.parametrize(
    ("country", "names"),
    [
        # The council of ministers of 21 July 2009 (APS): from 14 August on Friday and Saturday.
        ("DZ", "Friday Saturday"),
        # Code du travail, L3132-3, and the working week of five days.
        ("FR", "Saturday Sunday"),
        # CLDR's supplemental week data; the Emirates' decision of 7 December 2021 (WAM).
        ("EG", "Friday Saturday"),
        ("SA", "Friday Saturday"),
        ("AE", "Saturday Sunday"),
        ("IR", "Friday"),
        ("AF", "Thursday Friday"),
        ("IN", "Sunday"),
        ("TN", "Saturday Sunday"),
        ("MA", "Saturday Sunday"),
        ("US", "Saturday Sunday"),
    ],
)
def test_the_weekend_is_when_it_is_there(country, names):
    monday = date(2026, 11, 30)
    found = [f"{monday + each * DAY:%A}" for each in weekend_of(country)]

    assert " ".join(found) == names


def spoken(day, clock, ramadans=()):
    """When Amina in Algiers and Bilal in Paris are told of the same day, without the spread."""
    about = event(day=None)
    inputs = Inputs(
        event=about,
        members=[member(about), member(about, BILAL)],
        tasks=[task(about, OnDay(day))],
        rules=[rule(about, lead=CalendarLead(Offset(), clock), exact=False)],
        people={AMINA: person(AMINA), BILAL: person(BILAL, PARIS, "fr-FR")},
        ramadans=ramadans,
    )
    found = {}
    for firing in plan(inputs, until=datetime(2101, 1, 1, tzinfo=UTC)):
        wall = clocks_of(firing.zone).at(firing.due_at)
        spread = timedelta(minutes=wall.minute % 5, seconds=wall.second)
        assert spread < SPREAD[firing.firing_class]
        found[firing.user_id] = (wall - spread).isoformat(timespec="minutes")
    return found[AMINA], found[BILAL]


ANNOUNCED = Ramadan(1447, date(2026, 2, 19), date(2026, 3, 19))
"""In Algeria: the Ministry's announcements of 17 February and 19 March 2026."""


@pytest.mark.parametrize(
    ("day", "clock", "amina", "bilal", "known"),
    [
        # A Friday at the time of prayer, and the Saturday after it.
        (date(2027, 7, 23), time(13), "2027-07-23T14:30", "2027-07-23T13:00", []),
        (date(2027, 7, 24), time(13), "2027-07-24T13:00", "2027-07-24T13:00", []),
        # The day before Ramadan for who was told of it, not for who has only the calendar.
        (date(2026, 2, 18), time(9), "2026-02-18T09:00", "2026-02-18T09:00", [ANNOUNCED]),
        (date(2026, 2, 18), time(9), "2026-02-18T11:30", "2026-02-18T09:00", []),
        (date(2026, 2, 19), time(9), "2026-02-19T11:30", "2026-02-19T09:00", [ANNOUNCED]),
        (date(2027, 2, 7), time(9), "2027-02-07T09:00", "2027-02-07T09:00", []),
        (date(2027, 2, 8), time(9), "2027-02-08T11:30", "2027-02-08T09:00", []),
        (date(2027, 3, 8), time(19), "2027-03-08T20:30", "2027-03-08T19:00", []),
        (date(2027, 3, 11), time(9), "2027-03-11T09:00", "2027-03-11T09:00", []),
    ],
)
def test_on_the_same_day_each_is_told_as_days_are_where_they_live(day, clock, amina, bilal, known):
    assert spoken(day, clock, known) == (amina, bilal)
