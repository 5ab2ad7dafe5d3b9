"""From what was asked for to what is due, and when. Pure."""

import calendar
from datetime import date, datetime, time, timedelta

from reminders.times import end_of_day, resolve, wall_of
from reminders.types import AtWall, Due, DueSpec, Event, FromEvent, Offset, OnDay


def moved(day: date, offset: Offset) -> date:
    """`day` plus `offset`: months first, kept within the month, then weeks and days.

    Applied once from the anchor: in steps the end of a month would be lost on the way.
    """
    months = day.year * 12 + day.month - 1 + offset.months
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    clamped = date(year, month + 1, min(day.day, last))
    return clamped + timedelta(weeks=offset.weeks, days=offset.days)


def earlier(day: date, lead: Offset) -> date:
    """The day that lies `lead` before."""
    return moved(day, Offset(-lead.months, -lead.weeks, -lead.days))


def due_of(spec: DueSpec, event: Event) -> Due | None:
    """What is due now; None for what has no due, or hangs on an event without a day."""
    match spec:
        case None:
            return None
        case OnDay(day):
            return Due(day)
        case AtWall(day, at, zone):
            return Due(day, at, zone)
        case FromEvent(offset, at):
            if event.day is None:
                return None
            day = moved(event.day, offset)
            return Due(day) if at is None else Due(day, at, event.zone)


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
