"""From what was asked for to what is due, and when. Pure."""

import calendar
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import msgspec

from reminders.days import MAIN
from reminders.times import end_of_day, resolve, wall_of
from reminders.types import AtWall, Due, DueSpec, Event, FromEvent, Offset, OnDay, Task


def moved(day: date, offset: Offset) -> date:
    """`day` plus `offset`: months first, kept within the month, then weeks and days.

    Applied once from the anchor: in steps the end of a month would be lost on the way.
    """
    return _counted(day, offset.months, offset.weeks * 7 + offset.days)


def most_days(offset: Offset) -> int:
    """No day lies further from another than so many days, by this offset."""
    return offset.months * 31 + offset.weeks * 7 + offset.days


def earlier(day: date, lead: Offset) -> date:
    """The day that lies `lead` before."""
    return _counted(day, -lead.months, -lead.weeks * 7 - lead.days)


def _counted(day: date, months: int, days: int) -> date:
    # Most offsets have no months, and plans count a great many of them.
    if months:
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        day = date(year, month + 1, min(day.day, last))
    return day + timedelta(days)


def due_of(spec: DueSpec, event: Event) -> Due | None:
    """What is due now; None for what has no due, or hangs on an event without a day."""
    match spec:
        case None:
            return None
        case FromEvent(at=at):
            place = anchor_of(event, spec.anchor)
            if place is None:
                return None
            day = compressed(spec, place.day)
            return _due(day) if at is None else _due(day, at, place.zone or event.zone)
        case OnDay(day):
            return _due(day)
        case AtWall(day, at, zone):
            return _due(day, at, zone)


_due: Callable[..., Due] = lru_cache(maxsize=4096)(Due)
"""Many tasks are due on few days: their dues are the same, and what follows is found once."""


def due_on(task: Task, event: Event) -> Due | None:
    """What is due now for a task: never before it may be done at all."""
    due = due_of(task.due, event)
    opens = due_of(task.details.opens, event)
    if due is None or opens is None or due.day >= opens.day:
        return due
    return msgspec.structs.replace(due, day=opens.day)


def anchor_of(event: Event, code: str) -> Due | None:
    """When a part of the event is; None while it has no day, or there is no such part."""
    if code == MAIN:
        return None if event.day is None else Due(event.day, event.at, event.zone)
    anchor = next((each for each in event.anchors if each.code == code), None)
    if anchor is None:
        return None
    day = anchor.day
    if day is None and anchor.days is not None:
        # What hangs on what is kept free of circles.
        base = anchor_of(event, anchor.of)
        day = None if base is None else base.day + timedelta(days=anchor.days)
    return None if day is None else Due(day, anchor.at, anchor.zone or event.zone)


def part_since(event: Event, code: str) -> datetime:
    """From when on a part of the event is planned where it is."""
    anchor = next((each for each in event.anchors if each.code == code), None)
    if anchor is None:
        return event.planned_from
    since = anchor.since or event.planned_from
    # A day of its own it keeps when the event moves.
    return since if anchor.days is None else max(since, part_since(event, anchor.of))


def hung_since(task: Task, event: Event) -> Sequence[datetime]:
    """From when on everything that a task's days hang on is planned where it is."""
    specs = (task.due, task.details.opens)
    return [part_since(event, each.anchor) for each in specs if isinstance(each, FromEvent)]


def is_compressed(task: Task, event: Event) -> bool:
    """Whether a late start made the task due later than it usually is."""
    due = task.due
    if not isinstance(due, FromEvent) or not due.span:
        return False
    return due_of(due, event) != due_of(replace(due, span=0), event)


LAST_DAYS = 14
"""So many days before the event a plan is never compressed: they are full as they are."""


def compressed(spec: FromEvent, anchor: date) -> date:
    """The day that `spec` means before or after the anchor's day.

    A plan of `span` days that was begun with fewer left keeps its order and its last days, and
    the rest is drawn together evenly, so that nothing is overdue at the start.
    """
    meant = moved(anchor, spec.offset)
    before = (anchor - meant).days
    if not spec.span or spec.start is None:
        return meant
    left = (anchor - spec.start).days
    if left < 0:
        # That part was over before the plan began: what is left of it is to be done at once.
        return max(meant, spec.start)
    kept = min(LAST_DAYS, left)
    if left >= spec.span or before <= kept:
        return meant
    # Half days are rounded towards the event.
    drawn = kept + (before - kept) * (left - kept) // max(1, spec.span - kept)
    return anchor - timedelta(days=min(drawn, left))


def instant_of(due: Due, viewer_zone: str) -> datetime:
    """When it is due for someone in `viewer_zone`: an all-day due at the start of their day."""
    return resolve(datetime.combine(due.day, due.at or time()), due.zone or viewer_zone)


def day_seen(due: Due, viewer_zone: str) -> date:
    """The calendar day that someone in `viewer_zone` calls the due day."""
    if due.at is None:
        return due.day
    return wall_of(instant_of(due, viewer_zone), viewer_zone).date()


def day_over(due: Due, viewer_zone: str) -> datetime:
    """When the due day ends on the wall of whoever looks: from then on it is overdue."""
    return end_of_day(day_seen(due, viewer_zone), viewer_zone)


def nominal(due: Due) -> str:
    """The due value as identity: what was meant, not when that turns out to be."""
    at = "-" if due.at is None else due.at.isoformat()
    return f"{due.day.isoformat()}T{at}@{due.zone or '~'}"
