"""What one user is told about one task: from its rules to firings. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

import msgspec

from kernel.ids import UserId
from reminders.days import UNDO
from reminders.due import day_over, day_seen, due_on, earlier, instant_of
from reminders.firing import OVERDUE, PAYMENTS, Firing, FiringClass
from reminders.identity import ONCE, SOON, dedupe_key
from reminders.lateness import class_of, grace_of, lead_days, useful_until_of
from reminders.placing import POLICY, Calm, Nominal, calmed, spread
from reminders.quiet import Hush
from reminders.times import resolve, wall_of
from reminders.types import CalendarLead, Due, ElapsedLead, Event, Lead, Rule, Task, ZonePolicy
from reminders.usual import SNOOZED

MERGED = timedelta(hours=3)
"""Of two policy reminders of one task closer than this the later one is enough."""


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who is told of a task: on whose wall, from when on, and when rather not."""

    user_id: UserId
    zone: str
    possible_from: datetime
    hush: Hush
    spread: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Window:
    """The days from `first` to `last`."""

    first: date
    last: date

    def widened(self, leads: Iterable[Lead]) -> "Window":
        """The days that may be due and be spoken of, so early or late, within these."""
        days = [0, *map(lead_days, leads)]
        before = min(timedelta(days=-min(days)), self.first - date.min)
        after = min(timedelta(days=max(days)) + _SLACK, date.max - self.last)
        return Window(self.first - before, self.last + after)

    def holds(self, nominal: Nominal, firing_class: FiringClass, due: Due) -> bool:
        """Whether a firing may go off within these days, or decide what others become.

        What comes before a due looks at what else does; what is overdue stands by itself.
        """
        if firing_class not in OVERDUE:
            return self.first <= max(due.day, nominal.wall.date())
        return self.first <= nominal.wall.date() <= self.last + min(_SLACK, date.max - self.last)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


_SLACK = timedelta(days=2)
"""Days are not the same everywhere."""


def nominal_of(rule: Rule, due: Due, event: Event, recipient_zone: str) -> Nominal | None:
    """When the rule speaks about `due`; None for time elapsed before an all-day due."""
    return _nominal(rule.lead, due, zone_of(rule, event, recipient_zone))


@lru_cache(maxsize=8192)
def _nominal(lead: Lead, due: Due, zone: str) -> Nominal | None:
    match lead:
        case ElapsedLead(before):
            if due.at is None:
                return None
            at = instant_of(due, zone) - before
            return Nominal(at, zone, wall_of(at, zone))
        case CalendarLead(before, clock):
            wall = datetime.combine(earlier(day_seen(due, zone), before), clock)
            return Nominal(resolve(wall, zone), zone, wall)


def zone_of(rule: Rule, event: Event, recipient_zone: str) -> str:
    """The zone on whose wall the rule's time is."""
    match rule.zone_policy:
        case ZonePolicy.RECIPIENT:
            return recipient_zone
        case ZonePolicy.EVENT:
            return event.zone
        case ZonePolicy.FIXED:
            return rule.zone or event.zone


def firings_of(
    event: Event, task: Task, due: Due, told: Told, rules: Sequence[Rule], *, within: Window
) -> list[Firing]:
    """The firings of one task for one user."""
    planned: list[Firing] = []
    too_late: list[tuple[Firing, Rule]] = []
    for rule in rules:
        firing_class = class_of(rule, task)
        nominal = nominal_of(rule, due, event, told.zone)
        if nominal is None or not within.holds(nominal, firing_class, due):
            continue
        firing = firing_of(event, task, due, told, rule, nominal, firing_class)
        # A reminder whose time had passed before it could exist is not made up for.
        if min(nominal.at, firing.due_at) < max(told.possible_from, rule.planned_from):
            too_late.append((firing, rule))
        else:
            planned.append(firing)
    planned += _soon(event, task, due, told, planned, too_late)
    return _superseded(_merged(planned))


def firing_of(
    event: Event,
    task: Task,
    due: Due,
    told: Told,
    rule: Rule,
    nominal: Nominal,
    firing_class: FiringClass,
    *,
    useful: Due | None = None,
) -> Firing:
    """The rule's firing about `due`; it is of use until `useful`, or until that."""
    useful_until, calm = _calmed(nominal, useful or due, firing_class, told.hush)
    placed = spread(calm, firing_class, user_id=told.user_id, hush=told.hush, at_least=told.spread)
    grace = grace_of(firing_class, placed.at, nominal.zone)
    if useful_until <= placed.at:
        # The due day does not exist on this wall: the reminder came later, but still comes.
        useful_until = placed.at + grace
    at = placed.at
    undo = None if event.moved is None or firing_class not in POLICY else event.moved.until
    # While a move can still be undone, nobody is told of what may not stay so. What was due
    # before the move is late, or history, as it was.
    if undo is not None and max(event.planned_from, undo - UNDO) <= at < undo < useful_until:
        at = undo
    return Firing(
        dedupe_key=dedupe_key(rule.id, task.id, told.user_id, occurrence=ONCE, due=due),
        due_at=at,
        nominal_day=due.day,
        event_id=event.id,
        task_id=task.id,
        rule_id=rule.id,
        user_id=told.user_id,
        firing_class=firing_class,
        grace=grace,
        useful_until=useful_until,
        zone=nominal.zone,
        event_version=event.sched_version,
        task_version=task.sched_version,
    )


@lru_cache(maxsize=8192)
def _calmed(
    nominal: Nominal, useful: Due, firing_class: FiringClass, hush: Hush
) -> tuple[datetime, Calm]:
    """Until when it is of use, and where it stands before it is spread. Most of a million users
    have the same habits, and hear of what is due on the same days."""
    until = useful_until_of(firing_class, useful, nominal.zone, at=nominal.at)
    return until, calmed(nominal, useful, firing_class, hush=hush, useful_until=until)


def _soon(
    event: Event,
    task: Task,
    due: Due,
    told: Told,
    planned: Sequence[Firing],
    too_late: Sequence[tuple[Firing, Rule]],
) -> list[Firing]:
    """One policy reminder in place of all that came too late, while it can still help."""
    if any(firing.firing_class in POLICY for firing in planned):
        return []
    late = [
        (firing, rule)
        for firing, rule in too_late
        if firing.firing_class in POLICY and isinstance(rule.lead, CalendarLead)
    ]
    if not late:
        return []
    closest, rule = max(late, key=lambda each: (each[0].due_at, each[0].dedupe_key))
    assert isinstance(rule.lead, CalendarLead), "policy reminders have a time of day"
    kind, start = class_of(rule, task), max(told.possible_from, rule.planned_from)
    today = wall_of(start, closest.zone).date()
    last = instant_of(due, closest.zone) if due.at else day_over(due, closest.zone)
    for days in range(_SOON_DAYS):
        wall = datetime.combine(today + timedelta(days=days), rule.lead.at)
        nominal = Nominal(resolve(wall, closest.zone), closest.zone, wall)
        firing = firing_of(event, task, due, told, rule, nominal, kind)
        if nominal.at >= last:
            return []
        if start <= min(nominal.at, firing.due_at) and firing.due_at < last:
            break
    else:
        return []
    near = FiringClass.POLICY_NEAR
    return [
        msgspec.structs.replace(
            firing,
            dedupe_key=dedupe_key(rule.id, task.id, told.user_id, occurrence=SOON, due=due),
            firing_class=near,
            grace=grace_of(near, firing.due_at, closest.zone),
            useful_until=last,
        )
    ]


def _merged(firings: Sequence[Firing]) -> list[Firing]:
    """Without the policy reminders that another of the task follows closely: "today" says
    what "tomorrow" would."""
    policy = [firing for firing in firings if firing.firing_class in POLICY]
    spoken = {
        firing.dedupe_key
        for firing in policy
        for other in policy
        if (firing.due_at, firing.dedupe_key) < (other.due_at, other.dedupe_key)
        and other.due_at - firing.due_at < MERGED
    }
    return [firing for firing in firings if firing.dedupe_key not in spoken]


def _superseded(firings: Sequence[Firing]) -> list[Firing]:
    """A far policy reminder is useful until the next closer one of its task."""
    closer = sorted(firing.due_at for firing in firings if firing.firing_class in POLICY)
    result: list[Firing] = []
    for firing in firings:
        if firing.firing_class is FiringClass.POLICY_FAR:
            following = [at for at in closer if at > firing.due_at]
            until = min([firing.useful_until, *following])
            if until < firing.useful_until:
                firing = msgspec.structs.replace(firing, useful_until=until)
        result.append(firing)
    return result


_SOON_DAYS = 7
"""How far the reminder that comes soon may have to look for a day that is not quiet."""


_YIELDING = POLICY - PAYMENTS | {FiringClass.NAG}


def is_near_snooze(kind: FiringClass, at: datetime, task: Task, user_id: UserId) -> bool:
    """Whether the user asked to be told of the task again within hours of `at`, or just did.

    Then the product need not tell them too.
    """
    return kind in _YIELDING and any(
        abs(each.at - at) < MERGED
        or (each.asked_at is not None and timedelta(0) <= each.asked_at - at < MERGED)
        for each in task.details.snoozes
        if each.user_id == user_id
    )


def snoozed(event: Event, task: Task, hushes: Mapping[UserId, Hush]) -> list[Firing]:
    """What users asked to be told again."""
    firings: list[Firing] = []
    for snooze in task.details.snoozes:
        hush = hushes.get(snooze.user_id)
        reopened_at = task.details.reopened_at
        # What was wished for a time at which the task was done is not made up for.
        if hush is None or (reopened_at is not None and snooze.at < reopened_at):
            continue
        day = wall_of(snooze.at, hush.zone).date()
        due = due_on(task, event) or Due(day)
        # The wish is for a time, whatever becomes of the due: so that is its identity.
        wished = Due(snooze.at.date())
        occurrence = f"snooze:{snooze.action_id}"
        kind = FiringClass.EXACT_CALENDAR
        firings.append(
            Firing(
                dedupe_key=dedupe_key(
                    SNOOZED, task.id, snooze.user_id, occurrence=occurrence, due=wished
                ),
                due_at=snooze.at,
                nominal_day=due.day,
                event_id=event.id,
                task_id=task.id,
                rule_id=SNOOZED,
                user_id=snooze.user_id,
                firing_class=kind,
                grace=grace_of(kind, snooze.at, hush.zone),
                useful_until=snooze.at + timedelta(days=1),
                zone=hush.zone,
                event_version=event.sched_version,
                task_version=task.sched_version,
            )
        )
    return firings
