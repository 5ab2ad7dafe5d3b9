"""Calendars of others, as other programs write them: what is read, and what is refused and why."""

from datetime import date, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from reminders.imports.entries import reading_of
from reminders.imports.types import Draft, Refused
from reminders.types import AtWall, CalendarLead, ElapsedLead, Offset, OnDay, Priority

ALGIERS = "Africa/Algiers"
PARIS = "Europe/Paris"

EXCHANGE = """\
BEGIN:VTIMEZONE
TZID:Büro in Paris
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def calendar(*components):
    lines = "\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", *components, "END:VCALENDAR", ""))
    return lines.replace("\n", "\r\n")


def entry(*lines, kind="VEVENT", uid="1@example.org", summary="Essayage"):
    return "\n".join((f"BEGIN:{kind}", f"UID:{uid}", f"SUMMARY:{summary}", *lines, f"END:{kind}"))


def read(*lines, **more):
    return reading_of(calendar(entry(*lines, **more)), home=ALGIERS).entries[0]


def alarm(trigger):
    return f"BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER{trigger}\nEND:VALARM"


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("DTSTART;VALUE=DATE:20260501", OnDay(date(2026, 5, 1))),
        ("DTSTART:20260501T090000", AtWall(date(2026, 5, 1), time(9), ALGIERS)),
        # In the event's zone; Algiers is an hour ahead.
        ("DTSTART:20260501T233000Z", AtWall(date(2026, 5, 2), time(0, 30), ALGIERS)),
        (f"DTSTART;TZID={PARIS}:20260501T090000", AtWall(date(2026, 5, 1), time(9), PARIS)),
        (
            "DTSTART;TZID=Romance Standard Time:20260501T090000",
            AtWall(date(2026, 5, 1), time(9), PARIS),
        ),
        (
            f"DTSTART;TZID=/citadel.org/20260101_1/{PARIS}:20260501T090000",
            AtWall(date(2026, 5, 1), time(9), PARIS),
        ),
        ("DTSTART:20260501T090059", AtWall(date(2026, 5, 1), time(9), ALGIERS)),
    ],
)
def test_when_an_entry_is(start, due):
    assert read(start).due == due


@pytest.mark.parametrize(
    ("local", "here"),
    [("20260115T090000", time(9)), ("20260715T090000", time(8)), ("20260329T030000", time(2))],
    ids=["winter", "summer", "the first hour of summer"],
)
def test_a_zone_that_only_the_calendar_knows_is_read_from_its_rules(local, here):
    text = calendar(EXCHANGE.strip(), entry(f"DTSTART;TZID=Büro in Paris:{local}"))

    (found,) = reading_of(text, home=ALGIERS).entries

    assert found.due == AtWall(found.due.day, here, ALGIERS)


def test_a_described_zone_may_name_the_place_it_means():
    zone = EXCHANGE.strip().replace("BEGIN:STANDARD", f"X-LIC-LOCATION:{PARIS}\nBEGIN:STANDARD")

    (found,) = reading_of(
        calendar(zone, entry("DTSTART;TZID=Büro in Paris:20260501T090000", "RRULE:FREQ=DAILY")),
        home=ALGIERS,
    ).entries

    assert found.due == AtWall(date(2026, 5, 1), time(9), PARIS)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["DTSTART;TZID=Mond:20260501T090000"], "'Mond' is not known"),
        (["SEQUENCE:1"], "does not say when it begins"),
        (["DTSTART:20260231T090000"], "not a day or a time"),
        (["DTSTART:20260501T250000"], "not a day or a time"),
        (["DTSTART:tomorrow"], "not a day or a time"),
        (["DTSTART;VALUE=DATE:16010101"], "between 2000 and 2099"),
        (["DTSTART:20260501T090000", "STATUS:CANCELLED"], "cancelled"),
        (
            ["DTSTART:20260501T090000", "RRULE:FREQ=HOURLY"],
            "RRULE: must have a FREQ of DAILY, WEEKLY",
        ),
        (["DTSTART:20260501T090000", "RRULE:FREQ=DAILY;BYHOUR=9,10"], "BYHOUR"),
        (["DTSTART:20260501T090000", "RRULE:FREQ=DAILY;INTERVAL=0"], "INTERVAL"),
        (["DTSTART:20260501T090000", "RRULE:FREQ=DAILY;COUNT=1000000000"], "COUNT"),
        (
            ["DTSTART:20260501T090000", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"],
            "within eight years",
        ),
        (["DTSTART:20260501T090000", "RRULE:RSCALE=CHINESE;FREQ=YEARLY"], "calendar CHINESE"),
        (
            ["DTSTART:20260501T090000", "RRULE:RSCALE=ISLAMIC-UMALQURA;FREQ=MONTHLY"],
            "with FREQ=YEARLY",
        ),
        (
            ["DTSTART:20260501T090000", "RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD"],
            "moves days",
        ),
        (["DTSTART:20260501T090000", "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"], "several rules"),
        (["DTSTART:20260501T090000", "RDATE:20260502T090000"], "no rule"),
        (["DTSTART:20260501T090000", "RRULE:FREQ=DAILY", "EXDATE:x"], "EXDATE"),
    ],
)
def test_what_cannot_be_a_task_is_refused_with_the_reason(lines, said):
    found = read(*lines)

    assert isinstance(found, Refused)
    assert said in found.reason


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"uid": ""}, "UID"),
        ({"uid": "x" * 256}, "UID"),
        ({"uid": "0197f3a2@zaffa"}, "feed of ours"),
        ({"summary": ""}, "no title"),
        ({"summary": "\\n\\n"}, "no title"),
    ],
)
def test_an_entry_needs_a_name_of_its_own_and_a_title(more, said):
    assert said in read("DTSTART:20260501T090000", **more).reason


def test_rules_of_the_usual_calendar_are_what_they_are_without_saying_so():
    found = read("DTSTART:20260501T090000", "RRULE:RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=OMIT")

    assert found.rule == "FREQ=MONTHLY"


def test_what_comes_again_each_hijri_year_does_so_here():
    rule = "RSCALE=ISLAMIC-UMALQURA;FREQ=YEARLY;SKIP=BACKWARD"

    assert read("DTSTART;VALUE=DATE:20260501", f"RRULE:{rule}").rule == rule


def test_what_comes_again_in_utc_stays_there():
    found = read("DTSTART:20260501T090000Z", "RRULE:FREQ=WEEKLY;UNTIL=20260601T090000Z")

    assert found.due == AtWall(date(2026, 5, 1), time(9), "UTC")


def test_what_comes_again_in_a_zone_that_nobody_knows_is_refused():
    text = calendar(
        EXCHANGE.strip(), entry("DTSTART;TZID=Büro in Paris:20260501T090000", "RRULE:FREQ=DAILY")
    )

    assert "not known" in reading_of(text, home=ALGIERS).entries[0].reason


def test_days_that_are_left_out_are_days_of_the_series_own_wall():
    found = read(
        f"DTSTART;TZID={PARIS}:20260501T003000",
        "RRULE:FREQ=DAILY",
        f"EXDATE;TZID={PARIS}:20260503T003000,20260504T003000",
        "EXDATE:20260504T223000Z",
    )

    assert found.except_on == (date(2026, 5, 3), date(2026, 5, 4), date(2026, 5, 5))


def test_an_occurrence_that_is_another_time_is_a_task_beside_its_series():
    series = entry("DTSTART:20260501T090000", "RRULE:FREQ=WEEKLY")
    moved = entry("RECURRENCE-ID:20260508T090000", "DTSTART:20260509T100000")

    whole, one = reading_of(calendar(series, moved), home=ALGIERS).entries

    assert whole.except_on == (date(2026, 5, 8),)
    assert (one.uid, one.occurrence, one.due.day) == (
        whole.uid,
        "20260508T090000",
        date(2026, 5, 9),
    )


def test_of_two_entries_of_one_uid_the_later_edition_counts():
    newer = entry("DTSTART:20260502T090000", "SEQUENCE:2", summary="Nouveau")
    older = entry("DTSTART:20260501T090000", "SEQUENCE:1", summary="Ancien")

    (found,) = reading_of(calendar(newer, older), home=ALGIERS).entries

    assert found.title == "Nouveau"


@pytest.mark.parametrize(
    ("start", "trigger", "lead"),
    [
        ("DTSTART:20260501T090000", ":-PT90M", ElapsedLead(timedelta(minutes=90))),
        ("DTSTART:20260501T090000", ":PT0S", ElapsedLead(timedelta(minutes=1))),
        (
            "DTSTART:20260501T090000\nDTEND:20260501T110000",
            ";RELATED=END:-PT3H",
            ElapsedLead(timedelta(hours=1)),
        ),
        (
            "DTSTART:20260501T090000",
            ";VALUE=DATE-TIME:20260501T070000Z",
            ElapsedLead(timedelta(hours=1)),
        ),
        ("DTSTART:20260501T090000", ":-P60D", CalendarLead(Offset(days=60), time(9))),
        # How Nextcloud and Google say "the day before at nine".
        ("DTSTART;VALUE=DATE:20260501", ":-PT15H", CalendarLead(Offset(days=1), time(9))),
        ("DTSTART;VALUE=DATE:20260501", ":PT9H", CalendarLead(Offset(), time(9))),
        ("DTSTART;VALUE=DATE:20260501", ":-P1W", CalendarLead(Offset(days=7), time())),
        (
            "DTSTART;VALUE=DATE:20260501",
            ";VALUE=DATE-TIME:20260429T170000Z",
            CalendarLead(Offset(days=2), time(18)),
        ),
    ],
)
def test_an_alarm_is_a_lead(start, trigger, lead):
    found = read(start, alarm(trigger))

    assert (found.leads, found.remarks) == ((lead,), ())


@pytest.mark.parametrize(
    ("start", "trigger", "said"),
    [
        ("DTSTART:20260501T090000", ":PT15M", "after the beginning"),
        ("DTSTART:20260501T090000", ":-PT1000H30M", "28 days"),
        ("DTSTART;VALUE=DATE:20260501", ":P2D", "after the day"),
        ("DTSTART:20260501T090000", ":soon", "in a way that we read"),
        ("DTSTART:20260501T090000", ":-P99999999999D", "in a way that we read"),
    ],
)
def test_an_alarm_that_is_none_is_left_out_and_the_entry_kept(start, trigger, said):
    found = read(start, alarm(trigger))

    assert found.leads == ()
    assert said in found.remarks[0]


def test_an_alarm_that_says_to_do_nothing_is_none():
    nothing = alarm(";VALUE=DATE-TIME:19760401T005545Z").replace("DISPLAY", "NONE")

    found = read("DTSTART:20260501T090000", nothing, alarm(":-PT15M"))

    assert (len(found.leads), found.remarks) == (1, ())


def test_of_many_alarms_few_are_kept():
    found = read("DTSTART:20260501T090000", *(alarm(f":-PT{n}M") for n in range(1, 100)))

    assert len(found.leads) == 5
    assert "only 5 alarms are kept" in found.remarks


def test_long_texts_are_cut_and_that_is_said():
    found = read("DTSTART:20260501T090000", "DESCRIPTION:" + "n" * 5000, summary="t" * 300)

    assert (len(found.title), len(found.notes)) == (200, 4000)
    assert len(found.remarks) == 2


def test_a_todo_is_due_when_it_says_and_may_be_due_at_no_time():
    due = read("DTSTART;VALUE=DATE:20260401", "DUE;VALUE=DATE:20260501", kind="VTODO")

    assert due.due == OnDay(date(2026, 5, 1))
    assert read("PRIORITY:1", kind="VTODO").due is None
    assert read("PRIORITY:1", kind="VTODO").priority is Priority.KEY
    assert "done already" in read("STATUS:COMPLETED", kind="VTODO").reason


def test_a_file_may_begin_with_a_mark_of_its_encoding():
    text = "\ufeff" + calendar(entry("DTSTART:20260501T090000"))

    assert len(reading_of(text, home=ALGIERS).entries) == 1


def test_folded_lines_and_escapes_are_read_as_they_were_meant():
    found = read(
        "DTSTART:20260501T090000", "DESCRIPTION:un\\, deux\\n", " trois", summary="ق\n اعة"
    )

    assert (found.title, found.notes) == ("قاعة", "un, deux\ntrois")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with BEGIN:VCALENDAR"),
        ("<html>", "begins with BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "does not end 'VEVENT'"),
        ("BEGIN:VCALENDAR\r\nEND:VEVENT\r\n", "where that was not begun"),
        ("BEGIN:VCALENDAR\r\n" * 10, "nest deeper"),
        (calendar("X:y\n" * 20_001), "lines"),
        (calendar(*(entry(uid=str(n)) for n in range(1001))), "1000 events"),
        (calendar(*(entry("RRULE:" + "A" * 100, uid=str(n)) for n in range(200))), "16384"),
    ],
)
def test_what_is_no_calendar_or_too_much_of_one_is_refused_whole(text, said):
    with pytest.raises(InvalidInput) as caught:
        reading_of(text, home=ALGIERS)

    assert said in caught.value.message


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "BEGIN:STANDARD\nEND:STANDARD",
        "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETTO:+9900\nEND:STANDARD",
        "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETTO:+0100\nRRULE:FREQ=SECONDLY\nEND:STANDARD",
        "BEGIN:STANDARD\nDTSTART:20990101T000000\nTZOFFSETTO:+0100\nEND:STANDARD",
        "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETTO:+0100\nEND:STANDARD\n" * 30,
    ],
)
def test_a_zone_that_is_described_badly_refuses_only_what_is_in_it(zone):
    described = f"BEGIN:VTIMEZONE\nTZID:Mond\n{zone.strip()}\nEND:VTIMEZONE"
    there = entry("DTSTART;TZID=Mond:20260501T090000", uid="a")
    here = entry("DTSTART:20260501T090000", uid="b")

    found = reading_of(calendar(described, there, here), home=ALGIERS).entries

    assert [type(each) for each in found] == [Refused, Draft]


def test_rules_that_never_come_true_are_not_looked_at_without_end():
    never = ("DTSTART:20260501T090000", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")
    text = calendar(*(entry(*never, uid=str(n)) for n in range(100)))

    reasons = [each.reason for each in reading_of(text, home=ALGIERS).entries]

    assert "within eight years" in reasons[0]
    assert "too many rules" in reasons[-1]


NAMES = st.sampled_from(
    ["DTSTART", "DTEND", "DUE", "RRULE", "EXDATE", "RDATE", "RECURRENCE-ID", "UID", "SUMMARY",
     "DESCRIPTION", "SEQUENCE", "STATUS", "DURATION", "TRIGGER", "TZID", "TZOFFSETTO", "PRIORITY",
     "BEGIN", "END", "X-LIC-LOCATION"]
)  # fmt: skip
PARAMS = st.sampled_from(
    ["", ";TZID=Mond", ";TZID=Europe/Paris", ";VALUE=DATE", ";RELATED=END", ';X="', ";TZID="]
)
VALUES = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[0-9]{8}(T[0-9]{6}Z?)?", fullmatch=True),
    st.from_regex(r"-?P([0-9]{1,12}[WDHMS]|T[0-9]{1,12}[HMS])", fullmatch=True),
    st.sampled_from(
        ["VEVENT", "VTODO", "VALARM", "VTIMEZONE", "STANDARD", "DAYLIGHT", "FREQ=DAILY",
         "FREQ=YEARLY;BYDAY=53MO", "+0100", "-9999", "1", "20260501", "20260501T090000"]
    ),
)  # fmt: skip
LINES = st.builds("{}{}:{}".format, NAMES, PARAMS, VALUES)


@settings(max_examples=100)
@given(st.lists(LINES, max_size=30), st.lists(LINES, max_size=10))
def test_no_calendar_does_more_than_be_refused(lines, others):
    text = calendar(
        *others, entry("DTSTART:20260501T090000", *lines), entry(*others, kind="VTODO", uid="2")
    )

    try:
        found = reading_of(text, home=ALGIERS)
    except InvalidInput:
        return

    assert all(isinstance(each, Draft | Refused) for each in found.entries)


@given(st.text(max_size=300))
def test_no_text_does_more_than_be_refused(text):
    with pytest.raises(InvalidInput):
        reading_of(text, home=ALGIERS)


@given(
    minutes=st.integers(-60 * 24 * 27, -1),
)
def test_an_alarm_of_an_all_day_entry_is_at_the_wall_time_that_it_counts_to(minutes):
    """-PT15H is the day before at nine: the spec's own rule, computed the other way round."""
    (lead,) = read("DTSTART;VALUE=DATE:20260501", alarm(f":-PT{-minutes}M")).leads

    assert -lead.before.days * 1440 + lead.at.hour * 60 + lead.at.minute == minutes
