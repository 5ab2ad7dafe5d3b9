"""What becomes of a due firing: the guards. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from reminders.due import due_on, instant_of
from reminders.firing import (
    ABOUT_EVENT,
    OVERDUE,
    PAYMENTS,
    DueFiring,
    Firing,
    FiringClass,
    Judgement,
    Outcome,
)
from reminders.lateness import Decision, decide
from reminders.person import Ramadan
from reminders.placing import POLITE, USUAL_SPREAD, Calm, spread
from reminders.quiet import Habits, Hush, hush_of, hushed, next_allowed
from reminders.series import usual_due
from reminders.times import resolve, wall_of
from reminders.types import Due, Event, Task
from reminders.usual import CLOCK

BARELY_LATE = timedelta(minutes=30)
"""So late a policy reminder may still break the quiet that has begun meanwhile."""

OVER = "task or event gone"
NOT_STANDING = "rule or membership gone"
NO_LONGER_USEFUL = "no longer useful"
LATER_THAN_GRACE = "later than its grace"
PLANNED_OTHERWISE = "the plan was changed before it could go off"
IN_THE_MORNING = "guests are asked in the morning"
UNTIL_USELESS = " until it is no longer useful"
"""What it is quiet for, when that is too long."""


def judge(due: DueFiring, *, now: datetime, ramadans: Sequence[Ramadan] = ()) -> Judgement:
    """Let a firing go off, or say why not: what is true now decides, not what was planned."""
    firing, event, task, person = due.firing, due.event, due.task, due.person
    if event.cancelled_at is not None or not (
        firing.firing_class in ABOUT_EVENT or (task is not None and task.deleted_at is None)
    ):
        return Judgement(Outcome.GONE, OVER)
    if not due.standing:
        return Judgement(Outcome.GONE, NOT_STANDING)
    if task is not None and task.done_at is not None:
        return Judgement(Outcome.DONE)
    task_version = firing.task_version if task is None else task.sched_version
    versions = firing.task_version, firing.event_version
    if due.changed or (task_version, event.sched_version) != versions:
        return Judgement(Outcome.STALE)
    if person is not None and person.muted:
        return Judgement(Outcome.MUTED)
    match decide(
        firing.firing_class,
        due_at=firing.due_at,
        grace=firing.grace,
        useful_until=firing.useful_until,
        now=now,
    ):
        case Decision.EXPIRE:
            return Judgement(Outcome.EXPIRED, NO_LONGER_USEFUL)
        case (Decision.SEND | Decision.FOLD) as decision:
            waits = _hushed(due, now, ramadans) or _until_morning(due, now, ramadans)
            if waits is not None:
                return waits
            if decision is Decision.FOLD:
                return Judgement(Outcome.FOLDED, LATER_THAN_GRACE)
            return Judgement(Outcome.FIRED)


def meaning_of(firing: Firing, event: Event, task: Task) -> Due:
    """What the firing is about: of what comes again, the occurrence that it was planned for."""
    due = due_on(task, event)
    if due is None:
        # Somebody asked to be told again of what is due at no time.
        return Due(firing.nominal_day)
    recurs = task.details.recurs
    if recurs is None or firing.nominal_day == due.day:
        return due
    return msgspec.structs.replace(usual_due(recurs, due), day=firing.nominal_day)


def needs_a_look(
    firing_class: FiringClass, habits: Habits, now: datetime, ramadans: Sequence[Ramadan]
) -> bool:
    """Whether more than the guards decides about such firings now: for everybody with these
    habits."""
    if firing_class is FiringClass.GUEST:
        return True
    return firing_class in POLITE and hushed(habits, now, ramadans)


def _hushed(due: DueFiring, now: datetime, ramadans: Sequence[Ramadan]) -> Judgement | None:
    """What becomes of a policy reminder when it is quiet now: as after an outage, or since
    the quiet hours, or the days of Ramadan, are others than when it was planned."""
    firing = due.firing
    if firing.firing_class not in POLITE:
        return None
    hush = _hush_of(due, ramadans)
    reason = hush.reason(wall_of(now, hush.zone))
    # What was placed shortly before quiet began cannot wait: it may be a little late.
    if not reason or (now - firing.due_at <= BARELY_LATE and _was_allowed(firing, hush)):
        return None
    latest = firing.useful_until
    meaning = None if due.task is None else meaning_of(firing, due.event, due.task)
    if meaning is not None and meaning.at is not None and firing.firing_class not in OVERDUE:
        latest = min(latest, instant_of(meaning, firing.zone))
    until = next_allowed(now, hush)
    if until is None or until >= latest:
        if firing.firing_class in PAYMENTS:
            return Judgement(Outcome.FOLDED, LATER_THAN_GRACE)
        return Judgement(Outcome.EXPIRED, f"{reason}{UNTIL_USELESS}")
    return Judgement(Outcome.DEFERRED, reason, until=_spread(firing, until, latest, hush))


def _until_morning(due: DueFiring, now: datetime, ramadans: Sequence[Ramadan]) -> Judgement | None:
    """Guests are not asked in the evening: what is late waits for the next morning there is."""
    firing = due.firing
    if firing.firing_class is not FiringClass.GUEST or now - firing.due_at <= firing.grace:
        return None
    hush = _hush_of(due, ramadans)
    tomorrow = wall_of(now, hush.zone).date() + timedelta(days=1)
    until = next_allowed(resolve(datetime.combine(tomorrow, CLOCK), hush.zone), hush)
    if until is None or until >= firing.useful_until:
        return Judgement(Outcome.EXPIRED, NO_LONGER_USEFUL)
    at = _spread(firing, until, firing.useful_until, hush)
    return Judgement(Outcome.DEFERRED, IN_THE_MORNING, until=at)


def _spread(firing: Firing, until: datetime, latest: datetime, hush: Hush) -> datetime:
    """When a deferred one comes: quiet ends for everybody at once, and it is no time that
    anybody typed."""
    calm = Calm(until, latest)
    user_id = firing.user_id
    placed = spread(calm, firing.firing_class, user_id=user_id, hush=hush, at_least=USUAL_SPREAD)
    return placed.at


def _hush_of(due: DueFiring, ramadans: Sequence[Ramadan]) -> Hush:
    return hush_of(due.person, event_zone=due.event.zone, ramadans=ramadans, at_work=due.at_work)


def _was_allowed(firing: Firing, hush: Hush) -> bool:
    return not hush.reason(wall_of(firing.due_at, hush.zone))
