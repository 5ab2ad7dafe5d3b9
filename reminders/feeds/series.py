"""A task that comes again, as a calendar repeats it. Pure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time

from icalendar import Component, vRecur

from reminders.recurrence import recurring
from reminders.times import resolve
from reminders.types import Due, Task

When = Callable[[Component, str, Due], None]
"""Adds a property that says when."""


def repeat(entry: Component, task: Task, due: Due, when: When) -> Due:
    """Say on `entry` how the task comes again; where the series begins.

    What is counted from when it was done has no next time yet: it is there once.
    """
    recurs = task.details.recurs
    if recurs is None or recurs.from_completion:
        return due
    rule = recurring(recurs.rule, zone=due.zone)
    written = vRecur.from_ical(recurs.rule.strip().upper())
    if rule.until is not None:
        # UNTIL is of the kind that DTSTART is, and for a wall time it is an instant.
        end = datetime.combine(rule.until, time(23, 59, 59))
        written["UNTIL"] = rule.until if due.at is None else resolve(end, due.zone or "UTC")
    entry.add("RRULE", written)
    for day in recurs.except_on:
        when(entry, "EXDATE", replace(due, day=day))
    if due.day != next(rule.days(recurs.start, since=due.day), None) and due.day != recurs.start:
        # The open occurrence was moved off the rule's days.
        when(entry, "RDATE", due)
    return replace(due, day=recurs.start)
