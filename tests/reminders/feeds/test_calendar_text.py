"""A feed as iCalendar: what parsers that are not ours make of it."""

import json
import subprocess
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.feeds.calendar import calendar_text
from reminders.feeds.types import Chapter, Feed, Reading, Shown, Whose
from reminders.feeds.zones import timezone_of
from reminders.times import offset_of, resolve, zone_names
from reminders.types import (
    Anchor,
    AtWall,
    FromEvent,
    Offset,
    OnDay,
    Payment,
    Priority,
    Recurrence,
    Role,
    TaskDetails,
)
from tests.support.factories_reminders import AMINA, BILAL, LONG_AGO, event, person, task
from tests.support.node import install, node

HERE = Path(__file__).parent

WEDDING = replace(
    event(day=date(2026, 6, 20), at=time(20), zone="Europe/Paris"),
    anchors=(
        Anchor("henna", days=-2),
        Anchor("visite_de_la_salle", day=date(2026, 6, 1), at=time(10), zone="Africa/Casablanca"),
    ),
)


def written(
    *tasks, of=WEDDING, shown=Shown.EVENTS, whose=Whose.ALL, one=True, who=None, role=Role.OWNER
):
    feed = Feed(uuid.UUID(int=7), AMINA, of.id if one else None, shown, whose, LONG_AGO)
    chapter = Chapter(of, LONG_AGO, role, [(each, LONG_AGO) for each in tasks])
    return calendar_text(Reading(feed, who, []), [chapter], refresh_minutes=30, default_locale="en")


def entries(text, name="VEVENT"):
    return icalendar.Calendar.from_ical(text).walk(name)


def judged(text):
    install(HERE)
    done = subprocess.run(
        [node(), HERE / "calendar.mjs"], input=text, capture_output=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


@pytest.mark.external
def test_another_library_finds_every_entry_at_its_instant():
    skipped = (date(2026, 4, 5),)
    weekly = Recurrence("FREQ=WEEKLY;UNTIL=20260420;BYDAY=SU", date(2026, 3, 22), except_on=skipped)
    tasting = replace(
        task(WEDDING, AtWall(date(2026, 3, 29), time(9), "Europe/Paris"), title="Dégustation"),
        details=TaskDetails(recurs=weekly),
    )
    hall = task(WEDDING, FromEvent(Offset(days=-10)), title="حجز القاعة; avec, virgules \\ et « ⁨ »")

    found = judged(written(hall, tasting))

    assert found["name"] == WEDDING.title
    told = {each["uid"]: each for each in found["events"]}
    assert told[f"{WEDDING.id}@zaffa"]["times"] == ["2026-06-20T18:00:00.000Z"]
    assert told[f"{WEDDING.id}-henna@zaffa"]["times"] == ["2026-06-18"]
    # Morocco's clocks: an hour ahead in June.
    visit = told[f"{WEDDING.id}-visite_de_la_salle@zaffa"]
    assert visit["times"] == ["2026-06-01T09:00:00.000Z"]
    assert told[f"{hall.id}@zaffa"]["summary"] == hall.title
    assert told[f"{hall.id}@zaffa"]["times"] == ["2026-06-10"]
    assert told[f"{tasting.id}@zaffa"]["times"] == [
        "2026-03-22T08:00:00.000Z",
        "2026-03-29T07:00:00.000Z",
        "2026-04-12T07:00:00.000Z",
        "2026-04-19T07:00:00.000Z",
    ]


@pytest.mark.external
def test_another_library_finds_todos_with_what_became_of_them():
    open_one = task(WEDDING, OnDay(date(2026, 5, 1)))
    done = task(WEDDING, None, done_at=LONG_AGO)

    found = judged(written(open_one, done, shown=Shown.TODOS))

    assert found["todos"] == [
        {"uid": f"{open_one.id}@zaffa", "status": "NEEDS-ACTION", "due": "2026-05-01"},
        {"uid": f"{done.id}@zaffa", "status": "COMPLETED", "due": None},
    ]


@given(
    zone=st.sampled_from(sorted(zone_names())),
    day=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
)
def test_the_rules_of_a_zone_are_those_that_we_resolve_with(zone, day):
    """Applied as RFC 5545 says: the onset that came last on the wall is in force."""
    described = timezone_of(zone, day, day)
    noon = datetime.combine(day, time(12))
    onsets = [
        (wall, part["TZOFFSETTO"].td)
        for part in described.subcomponents
        for wall in (part["DTSTART"].dt, *_more(part))
        if wall <= noon
    ]

    (_, offset) = max(onsets)

    assert noon - offset == resolve(noon, zone).replace(tzinfo=None)
    assert offset == offset_of(resolve(noon, zone), zone)


def _more(part):
    given = part.get("RDATE", [])
    return [each.dt for each in (given if isinstance(given, list) else [given])]


def test_apps_are_told_how_often_to_come():
    calendar = icalendar.Calendar.from_ical(written())

    assert calendar["REFRESH-INTERVAL"].dt == timedelta(minutes=30)
    assert calendar["X-PUBLISHED-TTL"] == "PT30M"


def test_the_same_facts_are_the_same_bytes():
    one = task(WEDDING, OnDay(date(2026, 5, 1)))

    assert written(one) == written(one)


def test_what_moves_keeps_its_uid_and_its_sequence_rises():
    one = task(WEDDING, FromEvent(Offset(days=-1)))
    moved = replace(WEDDING, day=date(2026, 7, 20), sched_version=2)

    before, after = entries(written(one)), entries(written(one, of=moved))

    assert [each["UID"] for each in before] == [each["UID"] for each in after]
    assert (before[-1]["SEQUENCE"], after[-1]["SEQUENCE"]) == (0, 1)
    assert after[-1]["DTSTART"].dt == date(2026, 7, 19)


def test_a_cancelled_event_says_so_and_its_tasks_are_gone():
    cancelled = replace(WEDDING, cancelled_at=LONG_AGO)

    found = entries(written(task(WEDDING), of=cancelled))

    assert {str(each["STATUS"]) for each in found} == {"CANCELLED"}
    assert len(found) == 3


def test_what_is_done_or_has_no_due_is_in_nobodys_day():
    done = task(WEDDING, OnDay(date(2026, 5, 1)), done_at=LONG_AGO)

    assert len(entries(written(done, task(WEDDING, None)))) == 3


def test_an_event_without_a_day_is_not_there_yet():
    assert entries(written(of=event(day=None))) == []


def test_ones_own_tasks_are_the_assigned_ones_and_for_owners_those_that_are_nobodys():
    nobodys = task(WEDDING, OnDay(date(2026, 5, 1)))
    mine, others = (replace(nobodys, id=uuid.uuid4(), assignee_id=who) for who in (AMINA, BILAL))

    def uids(role):
        found = entries(written(nobodys, mine, others, whose=Whose.MINE, role=role))
        return {each["UID"].partition("@")[0] for each in found[3:]}

    assert uids(Role.OWNER) == {str(nobodys.id), str(mine.id)}
    assert uids(Role.VENDOR) == {str(mine.id)}


def test_words_are_in_the_readers_language_and_turn_nothing_around_them():
    details = TaskDetails(
        notes="Avec Samia\nle soir",
        payment=Payment(12_000_000, "DZD", "Salle El Feth"),
        opens=FromEvent(Offset(days=-90)),
    )
    one = replace(task(WEDDING, OnDay(date(2026, 5, 1)), title="Régler la salle"), details=details)
    who = replace(person(AMINA, locale="ar-DZ"), hijri=True)

    text = written(one, who=who, one=False)

    henna, hall = entries(text)[1], entries(text)[3]
    assert henna["SUMMARY"] == f"⁨الحناء⁩ · ⁨{WEDDING.title}⁩"
    assert hall["SUMMARY"] == f"⁨Régler la salle⁩ · ⁨{WEDDING.title}⁩"
    assert hall["DESCRIPTION"].splitlines() == [
        "Avec Samia",
        "le soir",
        "الدفع: ⁨120\u202f000\u00a0دج⁩ إلى ⁨Salle El Feth⁩",
        "ليس قبل الأحد 22 مارس 2026",
        "14 ذو القعدة 1447 هـ",
    ]
    assert "مناسباتي" in text.decode()


def test_no_line_is_longer_than_apps_read_and_no_letter_is_cut():
    text = written(task(WEDDING, title="طاولة" * 40))

    assert all(len(line) <= 75 for line in text.split(b"\r\n"))
    assert all(line.decode() is not None for line in text.split(b"\r\n"))


@given(title=st.text(min_size=1), notes=st.text())
def test_no_text_of_a_task_becomes_a_line_of_the_calendar(title, notes):
    one = replace(
        task(WEDDING, OnDay(date(2026, 5, 1)), title=title), details=TaskDetails(notes=notes)
    )

    found = entries(written(one))

    assert len(found) == 4
    assert found[-1]["UID"] == f"{one.id}@zaffa"


@pytest.mark.parametrize(
    ("recurs", "due", "first", "more"),
    [
        (
            Recurrence("FREQ=DAILY;COUNT=3", date(2026, 5, 1)),
            date(2026, 5, 2),
            date(2026, 5, 1),
            {"RRULE"},
        ),
        (
            Recurrence("FREQ=WEEKLY", date(2026, 5, 1)),
            date(2026, 5, 3),
            date(2026, 5, 1),
            {"RRULE", "RDATE"},
        ),
        (
            Recurrence("FREQ=WEEKLY", date(2026, 5, 1), from_completion=True),
            date(2026, 5, 8),
            date(2026, 5, 8),
            set(),
        ),
    ],
    ids=["from its beginning", "moved off its days", "counted from completion"],
)
def test_a_series_is_told_from_its_beginning(recurs, due, first, more):
    one = replace(task(WEDDING, OnDay(due)), details=TaskDetails(recurs=recurs))

    found = entries(written(one))[-1]

    assert found["DTSTART"].dt == first
    assert {"RRULE", "EXDATE", "RDATE"} & set(found) == more


def test_calendars_are_told_the_days_of_what_comes_again_each_hijri_year():
    yearly = Recurrence("RSCALE=ISLAMIC-UMALQURA;FREQ=YEARLY;COUNT=4", date(2026, 6, 16))
    one = replace(task(WEDDING, OnDay(date(2026, 6, 16))), details=TaskDetails(recurs=yearly))

    found = entries(written(one))[-1]

    days = [each.dt for listed in found["RDATE"] for each in listed.dts]
    assert found["DTSTART"].dt == date(2026, 6, 16)
    assert days == [date(2027, 6, 6), date(2028, 5, 25), date(2029, 5, 14)]
    assert "RRULE" not in found


def test_what_an_occurrence_was_moved_from_is_left_out():
    moved = Recurrence("FREQ=WEEKLY", date(2026, 5, 1), meant_on=date(2026, 5, 8))
    one = replace(task(WEDDING, OnDay(date(2026, 5, 7))), details=TaskDetails(recurs=moved))

    found = entries(written(one))[-1]

    assert found["EXDATE"].dts[0].dt == date(2026, 5, 8)
    assert found["RDATE"].dts[0].dt == date(2026, 5, 7)


def test_an_occurrence_at_a_time_of_its_own_stands_beside_those_of_the_series():
    usual = AtWall(date(2026, 5, 8), time(10), "Africa/Algiers")
    moved = Recurrence("FREQ=WEEKLY", date(2026, 5, 1), meant_on=usual.day, meant=usual)
    once = AtWall(date(2026, 5, 7), time(12), "Europe/Paris")
    one = replace(task(WEDDING, once), details=TaskDetails(recurs=moved))

    found = entries(written(one))[-1]

    written_as = [found[name].to_ical() for name in ("DTSTART", "EXDATE", "RDATE")]
    assert written_as == [b"20260501T100000", b"20260508T100000", b"20260507T120000"]
    assert found["RDATE"].params["TZID"] == "Europe/Paris"


def test_a_series_at_a_wall_time_ends_at_an_instant():
    recurs = Recurrence("FREQ=WEEKLY;UNTIL=20260601", date(2026, 5, 1))
    due = AtWall(date(2026, 5, 1), time(9), "Africa/Algiers")
    one = replace(task(WEDDING, due), details=TaskDetails(recurs=recurs))

    found = entries(written(one))[-1]

    assert found["RRULE"]["UNTIL"] == [datetime(2026, 6, 1, 22, 59, 59, tzinfo=UTC)]


def test_a_todo_says_from_when_on_it_can_be_done_and_what_it_is_a_part_of():
    whole = task(WEDDING, OnDay(date(2026, 5, 1)))
    details = TaskDetails(
        priority=Priority.KEY, parent_id=whole.id, opens=FromEvent(Offset(days=-90))
    )
    part = replace(task(WEDDING, OnDay(date(2026, 5, 1))), details=details)

    found = entries(written(part, shown=Shown.TODOS), "VTODO")[0]

    assert found["DTSTART"].dt == date(2026, 3, 22)
    assert found["RELATED-TO"] == f"{whole.id}@zaffa"
    assert found["PRIORITY"] == 1


def test_times_in_utc_need_no_zone():
    one = task(WEDDING, AtWall(date(2026, 5, 1), time(9), "UTC"))

    found = entries(written(one))[-1]

    assert found["DTSTART"].dt == datetime(2026, 5, 1, 9, tzinfo=UTC)
