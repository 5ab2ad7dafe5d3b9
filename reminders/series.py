"""A task that comes again: which occurrences there are, and which one is open. Pure."""

from dataclasses import replace
from datetime import date, datetime
from itertools import islice

import msgspec

from reminders.due import due_on
from reminders.hijri_years import HijriYearly
from reminders.recurrence import Recurring, checked_recurrence, recurring
from reminders.times import wall_of
from reminders.types import AtWall, Due, Event, OnDay, Recurrence, Task

AT_ONCE = 800
"""Occurrences of one task that a plan looks at."""


def dues_of(task: Task, event: Event, *, first: date, last: date) -> list[Due]:
    """What is due for a task between two days; the open occurrence is always among it."""
    due = due_on(task, event)
    recurs = task.details.recurs
    if due is None:
        return []
    if recurs is None or recurs.from_completion:
        return [due]
    usual = usual_due(recurs, due)
    rule = recurring(recurs.rule, zone=usual.zone)
    dues, after = [due], open_on(recurs, due.day)
    for day in islice(rule.days(recurs.start, since=max(after, first)), AT_ONCE):
        if day > last:
            break
        if day > after and day not in recurs.except_on:
            dues.append(msgspec.structs.replace(usual, day=day))
    return dues


def completed(task: Task, event: Event, now: datetime) -> Task:
    """The task after its open occurrence was done: at the next one, or done for good.

    Of several that passed unseen the latest is open next, so that they do not pile up.
    """
    recurs = task.details.recurs
    due = task.due
    if recurs is None or not isinstance(due, OnDay | AtWall):
        return replace(task, done_at=now)
    usual = recurs.meant or due
    zone = usual.zone if isinstance(usual, AtWall) else event.zone
    today = wall_of(now, zone).date()
    following = _next(recurs, recurring(recurs.rule, zone=zone), due.day, today)
    own = due if recurs.meant is not None and isinstance(due, AtWall) else None
    after = replace(recurs, done=recurs.done + 1, last_on=due.day, last=own, meant=None)
    task = replace(task, details=replace(task.details, recurs=after, snoozes=()))
    if following is None:
        return replace(task, done_at=now)
    return replace(task, due=replace(usual, day=following))


def is_over(task: Task, day: date) -> bool:
    """Whether the task is done, or of one that comes again the occurrence on that day."""
    if task.done_at is not None:
        return True
    recurs = task.details.recurs
    return recurs is not None and isinstance(task.due, OnDay | AtWall) and task.due.day > day


def completed_until(task: Task, event: Event, day: date, now: datetime) -> Task:
    """The task after its occurrence on that day, and those before it, were done."""
    task = completed(task, event, now)
    while not is_over(task, day):
        task = completed(task, event, now)
    return task


def reopened(task: Task) -> Task:
    """The task as it was before its last occurrence was done."""
    recurs = task.details.recurs
    if recurs is None or recurs.last_on is None or not isinstance(task.due, OnDay | AtWall):
        return replace(task, done_at=None)
    due = recurs.last or replace(task.due, day=recurs.last_on)
    meant = _meant(task.due, due)
    before = replace(recurs, done=recurs.done - 1, last_on=None, last=None, meant=meant)
    details = replace(task.details, recurs=before)
    return replace(task, done_at=None, due=due, details=details)


def begun(task: Task, before: Task | None = None) -> Task:
    """The task with its series begun at its due, or going on if only other things changed than
    the rule. What the open occurrence is moved to is no day of the series, nor is the time there
    that of the others: the next one is as it was. Another time on its own day is for all.

    Refuses rules that we do not keep. The due must be a day or an appointment.
    """
    recurs = task.details.recurs
    earlier = None if before is None else before.details.recurs
    if recurs is None:
        return task
    assert isinstance(task.due, OnDay | AtWall), "limits refuse others"
    zone = task.due.zone if isinstance(task.due, AtWall) else None
    rule = checked_recurrence(recurs.rule, task.due.day, zone=zone)
    if (
        before is not None
        and earlier is not None
        and isinstance(before.due, OnDay | AtWall)
        and (earlier.rule, earlier.from_completion) == (recurs.rule, recurs.from_completion)
    ):
        going_on = replace(earlier, except_on=recurs.except_on)
        day, was_on = task.due.day, before.due.day
        off = was_on != next(rule.days(earlier.start, since=was_on), None)
        if day != was_on or earlier.meant is not None or (earlier.meant_on is not None and off):
            going_on = replace(going_on, meant=_meant(earlier.meant or before.due, task.due))
        if day == next(rule.days(earlier.start, since=day), None):
            going_on = replace(going_on, meant_on=None)
        elif day != was_on:
            going_on = replace(going_on, meant_on=open_on(earlier, was_on))
    else:
        going_on = Recurrence(recurs.rule, task.due.day, recurs.from_completion, recurs.except_on)
    return replace(task, details=replace(task.details, recurs=going_on))


def usual_due(recurs: Recurrence, due: Due) -> Due:
    """When every other occurrence is due, on the day of one: the open one may have been moved to
    a time of its own."""
    usual = recurs.meant
    return due if usual is None else Due(usual.day, usual.at, usual.zone)


def open_on(recurs: Recurrence, day: date) -> date:
    """Where in the series the open occurrence is, which was perhaps moved to this day."""
    return day if recurs.meant_on is None else max(day, recurs.meant_on)


def _meant(usual: OnDay | AtWall, moved: OnDay | AtWall) -> AtWall | None:
    """Where an occurrence would be, if it was moved to a time of its own."""
    if not isinstance(usual, AtWall) or not isinstance(moved, AtWall):
        return None
    return None if (usual.at, usual.zone) == (moved.at, moved.zone) else usual


def _next(
    recurs: Recurrence, rule: Recurring | HijriYearly, done: date, today: date
) -> date | None:
    if recurs.from_completion:
        start = max(done, today)
        # Its count goes on; everything else begins anew with the day on which it was done.
        if rule.count is not None and recurs.done + 1 >= rule.count:
            return None
        return next((day for day in replace(rule, count=None).days(start) if day > start), None)
    found = None
    after = open_on(recurs, done)
    for day in rule.days(recurs.start, since=after):
        if day <= after or day in recurs.except_on:
            continue
        if found is not None and day > today:
            break
        found = day
        if day > today:
            break
    return found
