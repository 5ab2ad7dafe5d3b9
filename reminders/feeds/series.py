"""A task that comes again, as a calendar repeats it. Pure."""

from collections.abc import Callable
from datetime import datetime, time
from itertools import islice

import msgspec
from icalendar import Component, vRecur

from reminders.hijri_years import HijriYearly
from reminders.recurrence import recurring
from reminders.series import open_on, usual_due
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
    usual = usual_due(recurs, due)
    rule = recurring(recurs.rule, zone=usual.zone)
    if isinstance(rule, HijriYearly):
        # Most apps know no calendar beside their own: they are told the days.
        for day in islice(rule.days(recurs.start, since=open_on(recurs, due.day)), YEARS):
            if day > open_on(recurs, due.day) and day not in recurs.except_on:
                when(entry, "RDATE", msgspec.structs.replace(usual, day=day))
        return due
    written = vRecur.from_ical(recurs.rule.strip().upper())
    if rule.until is not None:
        # UNTIL is of the kind that DTSTART is, and for a wall time it is an instant.
        end = datetime.combine(rule.until, time(23, 59, 59))
        written["UNTIL"] = rule.until if usual.at is None else resolve(end, usual.zone or "UTC")
    entry.add("RRULE", written)
    for day in recurs.except_on:
        when(entry, "EXDATE", msgspec.structs.replace(usual, day=day))
    off = due.day not in (recurs.start, next(rule.days(recurs.start, since=due.day), None))
    if off or recurs.meant is not None:
        # The open occurrence was moved off the rule's days, or to a time of its own.
        when(entry, "RDATE", due)
        instead_of = recurs.meant_on if off else due.day
        if instead_of is not None and instead_of not in recurs.except_on:
            when(entry, "EXDATE", msgspec.structs.replace(usual, day=instead_of))
    return msgspec.structs.replace(usual, day=recurs.start)
