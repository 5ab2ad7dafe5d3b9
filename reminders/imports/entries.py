"""From a calendar's components to the tasks that they would be, each with its reasons. Pure."""

import re
import unicodedata
from dataclasses import replace
from datetime import date, timedelta

from kernel.errors import InvalidInput
from reminders.imports.alarms import leads_of
from reminders.imports.components import Component, calendar_of
from reminders.imports.moments import Places, Unreadable
from reminders.imports.types import Draft, Entry, Reading, Refused
from reminders.imports.zones import Zones
from reminders.limits import EXCEPTIONS, NOTES, TITLE
from reminders.recurrence import FIRST_WITHIN, HIJRI, checked_recurrence, recurring
from reminders.types import AtWall, OnDay, Priority

ENTRIES = 1000
"""Events and tasks of one calendar."""

RULES = 16_384
"""Characters of all rules of one calendar: what they cost grows with their length."""

_WITHIN = (timedelta(days=8), timedelta(days=400), FIRST_WITHIN)
"""How far a rule's first occurrence is looked for, if it is not nearer."""

UID = 255

OURS = "@zaffa"
"""How the UIDs of our own feeds end."""

_SPACES = re.compile(r"\s+")
_OVER = frozenset({"COMPLETED", "CANCELLED"})


def reading_of(text: str, *, home: str) -> Reading:
    """What a calendar says; times without a zone are on the wall of `home`.

    Of entries with one UID the one with the highest SEQUENCE counts, and of those the last.
    Refuses what is no calendar, and more of it than anybody has.
    """
    whole = calendar_of(text)
    found = list(whole.walk("VEVENT", "VTODO"))
    if len(found) > ENTRIES:
        raise InvalidInput("calendar", f"must have at most {ENTRIES} events and tasks")
    if sum(len(each.text("RRULE")) for each in found) > RULES:
        raise InvalidInput("calendar", f"must have rules of at most {RULES} characters in all")
    places = Places(Zones(whole), home)
    latest: dict[tuple[str, ...], Component] = {}
    for number, each in enumerate(found):
        uid, occurrence = each.text("UID").strip(), each.text("RECURRENCE-ID").strip()
        key = (uid, occurrence) if uid else ("", str(number))
        if key not in latest or _sequence(each) >= _sequence(latest[key]):
            latest[key] = each
    entries = {key: _entry(each, places) for key, each in latest.items()}
    others = sum(1 for _ in whole.walk("VJOURNAL", "VFREEBUSY", "VAVAILABILITY"))
    name = next((each.text("NAME") or each.text("X-WR-CALNAME") for each in whole.parts), "")
    return Reading(_line(name)[:TITLE], _without_replaced(entries, latest, places), others)


def _entry(component: Component, places: Places) -> Entry:
    uid, title = component.text("UID").strip(), _line(component.text("SUMMARY"))
    try:
        return _draft(component, uid, title, places)
    except InvalidInput as error:
        # In a calendar the rule has its own name.
        reason = error.message.replace("details.recurrence.rule", "RRULE", 1)
        return Refused(uid[:UID], title[:TITLE], reason)
    except Unreadable as error:
        return Refused(uid[:UID], title[:TITLE], str(error))


def _draft(component: Component, uid: str, title: str, places: Places) -> Draft:
    if not uid or len(uid) > UID:
        raise Unreadable(f"it needs a UID of at most {UID} characters")
    if uid.endswith(OURS):
        raise Unreadable("it comes from a calendar feed of ours")
    status = component.text("STATUS").strip().upper()
    if status in _OVER or component.first("COMPLETED") is not None:
        raise Unreadable("it is done already" if status != "CANCELLED" else "it was cancelled")
    if not title:
        raise Unreadable("it has no title")
    remarks: list[str] = []
    if len(title) > TITLE:
        remarks.append(f"its title is cut to {TITLE} characters")
    notes = _notes(component)
    if len(notes) > NOTES:
        remarks.append(f"its notes are cut to {NOTES} characters")
    due = _due(component, places)
    rule = _rule(component)
    draft = Draft(
        uid=uid,
        occurrence=component.text("RECURRENCE-ID").strip(),
        title=title[:TITLE],
        notes=notes[:NOTES],
        due=due,
        priority=_priority(component.text("PRIORITY")),
        remarks=tuple(remarks),
    )
    if due is None:
        if rule:
            raise Unreadable("it comes again, but does not say from when on")
        return draft
    leads, left_out = leads_of(component, due, places)
    draft = replace(draft, leads=leads, remarks=(*remarks, *left_out))
    return _recurring(draft, component, due, rule, places) if rule else draft


def _recurring(
    draft: Draft, component: Component, due: OnDay | AtWall, rule: str, places: Places
) -> Draft:
    _check_rule(rule, due, places)
    skipped: set[date] = set()
    for given in component.all("EXDATE"):
        for text in given.value.split(",")[: EXCEPTIONS + 1]:
            skipped.add(places.day(given, text, due, "EXDATE"))
            if len(skipped) > EXCEPTIONS:
                raise Unreadable(f"it leaves out more than {EXCEPTIONS} days")
    return replace(draft, rule=rule, except_on=tuple(sorted(skipped)))


def _check_rule(text: str, due: OnDay | AtWall, places: Places) -> None:
    """Refuse what rules refuse; a stranger's calendar may have hundreds that never come true."""
    zone = due.zone if isinstance(due, AtWall) else None
    rule = recurring(text, zone=zone)
    for within in _WITHIN:
        if places.patience < 0:
            raise Unreadable("too many rules of its calendar come true late, or never")
        places.patience -= within.days
        last = min(due.day + within, rule.until or date.max)
        if next(replace(rule, until=last).days(due.day), None) is not None:
            break
    checked_recurrence(text, due.day, zone=zone)


def _without_replaced(
    entries: dict[tuple[str, ...], Entry], latest: dict[tuple[str, ...], Component], places: Places
) -> list[Entry]:
    """Each series without those of its occurrences that have an entry of their own."""
    kept = dict(entries)
    for key, component in latest.items():
        given = component.first("RECURRENCE-ID")
        if given is None:
            continue
        series = kept.get((key[0], ""))
        if not isinstance(series, Draft) or series.due is None or not series.rule:
            continue
        try:
            day = places.day(given, given.value, series.due, "RECURRENCE-ID")
        except Unreadable as error:
            kept[key] = Refused(key[0][:UID], _line(component.text("SUMMARY"))[:TITLE], str(error))
            continue
        days = tuple(sorted({*series.except_on, day}))
        if len(days) <= EXCEPTIONS:
            kept[(key[0], "")] = replace(series, except_on=days)
    return list(kept.values())


def _due(component: Component, places: Places) -> OnDay | AtWall | None:
    again = component.first("RRULE") is not None
    names = ("DUE", "DTSTART") if component.name == "VTODO" else ("DTSTART",)
    if again:
        # A series is counted from where it begins.
        names = ("DTSTART",)
    for name in names:
        given = component.first(name)
        if given is not None:
            return places.moment(given, name, again=again)
    if component.name == "VEVENT":
        raise Unreadable("it does not say when it begins")
    return None


def _rule(component: Component) -> str:
    rules = component.all("RRULE")
    if len(rules) > 1 or component.first("EXRULE") is not None:
        raise Unreadable("it comes again by several rules")
    if component.first("RDATE") is not None:
        raise Unreadable("it comes again on days of no rule (RDATE)")
    if not rules:
        return ""
    parts = rules[0].value.strip().upper().rstrip(";").split(";")
    if f"RSCALE={HIJRI}" in parts:
        return ";".join(parts)
    kept: list[str] = []
    for part in parts:
        name, _, value = part.partition("=")
        # RFC 7529: what it says by default is what we do anyway.
        if name == "RSCALE" and value != "GREGORIAN":
            raise Unreadable(f"it comes again by the calendar {value[:20]}, which rules here lack")
        if name == "SKIP" and value != "OMIT":
            raise Unreadable("it moves days that a month lacks, which rules here do not")
        if name not in ("RSCALE", "SKIP"):
            kept.append(part)
    return ";".join(kept)


def _notes(component: Component) -> str:
    parts = [component.text(name).strip() for name in ("DESCRIPTION", "LOCATION", "URL")]
    text = "\n".join(part for part in parts if part)
    return "".join(
        char
        for char in text.replace("\r\n", "\n")
        if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs")
    )


def _line(text: str) -> str:
    """A title on one line."""
    line = _SPACES.sub(" ", text).strip()
    return "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp"))


def _priority(text: str) -> Priority:
    """1 to 4 are high, 6 to 9 low (RFC 5545, 3.8.1.9)."""
    match text.strip():
        case "1" | "2" | "3" | "4":
            return Priority.KEY
        case "6" | "7" | "8" | "9":
            return Priority.LOW
        case _:
            return Priority.NORMAL


def _sequence(component: Component) -> int:
    text = component.text("SEQUENCE").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
