"""A task that comes again, as a calendar repeats it. Pure."""

from collections.abc import Callable
from datetime import datetime, time
from itertools import islice

import msgspec
from icalendar import Component, vRecur

from reminders.hijri_years import HijriYearly
from reminders.recurrence import recurring
from reminders.series import open_on
from reminders.times import resolve
from reminders.types import Due, Task

YEARS = 10
"""How far ahead a calendar is told the days of what comes again in the Hijri one."""

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
    if isinstance(rule, HijriYearly):
        # Most apps know no calendar beside their own: they are told the days.
        for day in islice(rule.days(recurs.start, since=open_on(recurs, due.day)), YEARS):
            if day > open_on(recurs, due.day) and day not in recurs.except_on:
                when(entry, "RDATE", msgspec.structs.replace(due, day=day))
        return due
    written = vRecur.from_ical(recurs.rule.strip().upper())
    if rule.until is not None:
        # UNTIL is of the kind that DTSTART is, and for a wall time it is an instant.
        end = datetime.combine(rule.until, time(23, 59, 59))
        written["UNTIL"] = rule.until if due.at is None else resolve(end, due.zone or "UTC")
    entry.add("RRULE", written)
    for day in recurs.except_on:
        when(entry, "EXDATE", msgspec.structs.replace(due, day=day))
    if due.day != next(rule.days(recurs.start, since=due.day), None) and due.day != recurs.start:
        # The open occurrence was moved off the rule's days.
        when(entry, "RDATE", due)
        if recurs.meant_on is not None and recurs.meant_on not in recurs.except_on:
            when(entry, "EXDATE", msgspec.structs.replace(due, day=recurs.meant_on))
    return msgspec.structs.replace(due, day=recurs.start)
