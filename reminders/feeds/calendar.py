"""A feed as an iCalendar text (RFC 5545, 7986): events, their parts and tasks. Pure.

What is there keeps its UID for ever, and its SEQUENCE rises whenever it is at another time.
Texts that people typed stay theirs; the words around them are in the reader's language.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from icalendar import Calendar, Component
from icalendar import Event as CalendarEvent
from icalendar import Todo as CalendarTodo

from reminders.days import MAIN
from reminders.due import anchor_of, due_of, due_on, hung_since
from reminders.feeds.series import repeat
from reminders.feeds.types import Chapter, Feed, Reading, Shown, Whose
from reminders.feeds.words import ALL_EVENTS, NOT_BEFORE, payment_text
from reminders.feeds.zones import timezone_of
from reminders.hijri import hijri_text
from reminders.part_names import part_name
from reminders.types import Due, Event, Priority, Role, Task
from reminders.wording import day_text, joined, language_of

PRODUCT = "-//Zaffa//Calendar feed//EN"

DOMAIN = "zaffa"
"""What ends the UIDs that are ours."""

AHEAD = timedelta(days=5 * 366)
"""How far ahead the rules of a zone are told for what comes again."""

_PRIORITIES = {Priority.KEY: 1, Priority.NORMAL: 5, Priority.LOW: 9}


def uid_of(id: UUID, part: str = "") -> str:
    """The UID of an event or task, or of a part of an event."""
    return f"{id}-{part}@{DOMAIN}" if part else f"{id}@{DOMAIN}"


def calendar_text(
    reading: Reading, chapters: Sequence[Chapter], *, refresh_minutes: int, default_locale: str
) -> bytes:
    """What the feed says about these events."""
    person = reading.person
    writing = _Writing(
        reading.feed,
        language_of(default_locale if person is None else person.locale),
        hijri=person is not None and person.hijri,
    )
    calendar = Calendar()
    calendar.add("PRODID", PRODUCT)
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "PUBLISH")
    name = ALL_EVENTS[writing.language]
    if reading.feed.event_id is not None and chapters:
        name = chapters[0].event.title
    calendar.add("NAME", name)
    calendar.add("X-WR-CALNAME", name)
    if person is not None:
        calendar.add("X-WR-TIMEZONE", person.zone_now)
    refresh = timedelta(minutes=refresh_minutes)
    calendar.add("REFRESH-INTERVAL", refresh, parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", f"PT{refresh_minutes}M")
    entries = [entry for chapter in chapters for entry in writing.entries(chapter)]
    for zone, (first, last) in sorted(writing.zones.items()):
        calendar.add_component(timezone_of(zone, first, last))
    for entry in entries:
        calendar.add_component(entry)
    return bytes(calendar.to_ical())


class _Writing:
    """Writes entries, and remembers which zones they are in and when."""

    def __init__(self, feed: Feed, language: str, *, hijri: bool) -> None:
        self._feed = feed
        self.language = language
        self._hijri = hijri
        self.zones: dict[str, tuple[date, date]] = {}

    def entries(self, chapter: Chapter) -> Iterable[Component]:
        """The event itself, its parts, then its tasks."""
        event = chapter.event
        for code in (MAIN, *(each.code for each in event.anchors)):
            due = anchor_of(event, code)
            if due is not None:
                yield self._part(chapter, code, due)
        if event.cancelled_at is not None or self._feed.shown is Shown.NOTHING:
            return
        for task, changed_at in chapter.tasks:
            if self._feed.whose is Whose.MINE and not self._is_mine(task, chapter.role):
                continue
            due = due_on(task, event)
            changed = max(changed_at, event.planned_from, *hung_since(task, event))
            if self._feed.shown is Shown.TODOS:
                yield self._todo(event, task, due, changed)
            elif due is not None and task.done_at is None:
                yield self._appointment(event, task, due, changed)

    def _is_mine(self, task: Task, role: Role) -> bool:
        if task.assignee_id is None:
            return role is Role.OWNER
        return task.assignee_id == self._feed.user_id

    def _part(self, chapter: Chapter, code: str, due: Due) -> Component:
        event = chapter.event
        entry: Component = CalendarEvent()
        name, uid = event.title, uid_of(event.id)
        if code != MAIN:
            name = joined(part_name(code, self.language), event.title)
            uid = uid_of(event.id, code)
        sequence = event.sched_version - 1
        self._begin(entry, uid, name, event.created_at, chapter.changed_at, sequence)
        self._when(entry, "DTSTART", due)
        if due.at is None:
            entry.add("TRANSP", "TRANSPARENT")
        entry.add("STATUS", "CONFIRMED" if event.cancelled_at is None else "CANCELLED")
        self._describe(entry, self._hijri_lines(due.day))
        return entry

    def _appointment(self, event: Event, task: Task, due: Due, changed: datetime) -> Component:
        """A task among events: it takes nobody's time away."""
        entry: Component = CalendarEvent()
        self._begin_task(entry, event, task, changed)
        self._when(entry, "DTSTART", repeat(entry, task, due, self._when))
        entry.add("TRANSP", "TRANSPARENT")
        self._describe(entry, self._about(event, task, due))
        return entry

    def _todo(self, event: Event, task: Task, due: Due | None, changed: datetime) -> Component:
        entry: Component = CalendarTodo()
        self._begin_task(entry, event, task, changed)
        opens = due_of(task.details.opens, event)
        if due is not None:
            self._when(entry, "DUE", due)
            # Both are dates, or neither is.
            if opens is not None and due.at is None and opens.day < due.day:
                entry.add("DTSTART", opens.day)
        if task.done_at is None:
            entry.add("STATUS", "NEEDS-ACTION")
        else:
            entry.add("STATUS", "COMPLETED")
            entry.add("COMPLETED", _utc(task.done_at))
            entry.add("PERCENT-COMPLETE", 100)
        if task.details.parent_id is not None:
            entry.add("RELATED-TO", uid_of(task.details.parent_id))
        self._describe(entry, self._about(event, task, due))
        return entry

    def _begin_task(self, entry: Component, event: Event, task: Task, changed: datetime) -> None:
        name = task.title
        if self._feed.event_id is None:
            name = joined(task.title, event.title)
        sequence = event.sched_version + task.sched_version - 2
        self._begin(entry, uid_of(task.id), name, task.created_at, changed, sequence)
        entry.add("PRIORITY", _PRIORITIES[task.details.priority])

    def _begin(
        self,
        entry: Component,
        uid: str,
        name: str,
        created: datetime,
        changed: datetime,
        sequence: int,
    ) -> None:
        entry.add("UID", uid)
        entry.add("SUMMARY", name)
        # The same facts are the same text, whenever they are asked for.
        entry.add("DTSTAMP", _utc(changed))
        entry.add("CREATED", _utc(created))
        entry.add("LAST-MODIFIED", _utc(changed))
        entry.add("SEQUENCE", sequence)

    def _when(self, entry: Component, name: str, due: Due) -> None:
        if due.at is None:
            entry.add(name, due.day)
            return
        wall = datetime.combine(due.day, due.at)
        if due.zone in (None, "UTC", "Etc/UTC"):
            entry.add(name, wall.replace(tzinfo=UTC))
            return
        entry.add(name, wall, parameters={"TZID": due.zone})
        self._covers(due.zone, due.day)
        if "RRULE" in entry:
            self._covers(due.zone, due.day + AHEAD)

    def _covers(self, zone: str, day: date) -> None:
        first, last = self.zones.get(zone, (day, day))
        self.zones[zone] = (min(first, day), max(last, day))

    def _about(self, event: Event, task: Task, due: Due | None) -> list[str]:
        details = task.details
        lines = [details.notes] if details.notes else []
        if details.payment is not None:
            lines.append(payment_text(details.payment, self.language))
        opens = due_of(details.opens, event)
        if opens is not None:
            # Without a present there is no present year to leave out.
            day = day_text(opens.day, self.language, today=date.min)
            lines.append(NOT_BEFORE[self.language].format(day=day))
        return lines + ([] if due is None else self._hijri_lines(due.day))

    def _hijri_lines(self, day: date) -> list[str]:
        text = hijri_text(day, self.language) if self._hijri else ""
        return [text] if text else []

    def _describe(self, entry: Component, lines: Sequence[str]) -> None:
        if lines:
            entry.add("DESCRIPTION", "\n".join(lines))


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
