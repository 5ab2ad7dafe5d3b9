"""From rules to firings. Pure: the same inputs always give the same firings.

`plan` is the only source of firings: nothing else makes, moves or cancels one. Whatever
changes, the plan is made again and compared with what is waiting.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kernel.ids import UserId
from reminders.due import day_over, day_seen, due_of, earlier, instant_of
from reminders.identity import ONCE, SOON, dedupe_key
from reminders.lateness import class_of, grace_of, useful_until_of
from reminders.times import resolve, wall_of
from reminders.types import (
    CalendarLead,
    Due,
    ElapsedLead,
    Event,
    Firing,
    FiringClass,
    Inputs,
    Member,
    Role,
    Rule,
    Task,
    ZonePolicy,
)

BEFORE_DUE = timedelta(minutes=60)
"""When a reminder's own time would come after the due: an early appointment, a late clock."""


@dataclass(frozen=True, slots=True)
class Nominal:
    """When a rule speaks before anything gives way: the wall it was found on, the instant."""

    at: datetime
    zone: str
    wall: datetime


def plan(inputs: Inputs, *, until: datetime) -> list[Firing]:
    """Every firing of the event that is due before `until`, however long ago; in due order."""
    event = inputs.event
    if event.cancelled_at is not None:
        return []
    members = {member.user_id: member for member in inputs.members}
    firings: list[Firing] = []
    for task in inputs.tasks:
        due = due_of(task.due, event)
        if due is None or task.done_at is not None or task.deleted_at is not None:
            continue
        for user_id, rules in _rules_by_user(task, inputs.rules, members).items():
            person = inputs.people.get(user_id)
            zone = event.zone if person is None else person.zone
            possible_from = _possible_from(event, task, members[user_id])
            firings += _firings(event, task, due, user_id, zone, rules, possible_from)
    return sorted(
        (firing for firing in firings if firing.due_at < until),
        key=lambda firing: (firing.due_at, firing.dedupe_key),
    )


def recipients(task: Task, rule: Rule, members: dict[UserId, Member]) -> Iterator[UserId]:
    """Whom the rule tells about the task: members only."""
    if rule.task_id not in (None, task.id):
        return
    named = rule.user_id
    if named is None and task.assignee_id in members:
        named = task.assignee_id
    if named is not None:
        if named in members:
            yield named
        return
    for member in members.values():
        if member.role is Role.OWNER:
            yield member.user_id


def nominal_of(rule: Rule, due: Due, event: Event, recipient_zone: str) -> Nominal | None:
    """When the rule speaks about `due`; None for time elapsed before an all-day due."""
    zone = zone_of(rule, event, recipient_zone)
    match rule.lead:
        case ElapsedLead(before):
            if due.at is None:
                return None
            at = instant_of(due, zone) - before
            return Nominal(at, zone, wall_of(at, zone))
        case CalendarLead(before, clock):
            wall = datetime.combine(earlier(day_seen(due, zone), before), clock)
            at = resolve(wall, zone)
            if due.at is not None and at >= instant_of(due, zone):
                at = instant_of(due, zone) - BEFORE_DUE
            return Nominal(at, zone, wall)


def zone_of(rule: Rule, event: Event, recipient_zone: str) -> str:
    """The zone on whose wall the rule's time is."""
    match rule.zone_policy:
        case ZonePolicy.RECIPIENT:
            return recipient_zone
        case ZonePolicy.EVENT:
            return event.zone
        case ZonePolicy.FIXED:
            return rule.zone or event.zone


def _rules_by_user(
    task: Task, rules: Sequence[Rule], members: dict[UserId, Member]
) -> dict[UserId, list[Rule]]:
    by_user: dict[UserId, list[Rule]] = defaultdict(list)
    for rule in rules:
        for user_id in recipients(task, rule, members):
            by_user[user_id].append(rule)
    return by_user


def _possible_from(event: Event, task: Task, member: Member) -> datetime:
    """The first moment at which this user could have been reminded of this due at all."""
    return max(event.planned_from, task.planned_from, member.joined_at)


def _firings(
    event: Event,
    task: Task,
    due: Due,
    user_id: UserId,
    recipient_zone: str,
    rules: Sequence[Rule],
    possible_from: datetime,
) -> list[Firing]:
    """The firings of one task for one user."""
    planned: list[Firing] = []
    too_late: list[tuple[Firing, Rule]] = []
    for rule in rules:
        nominal = nominal_of(rule, due, event, recipient_zone)
        if nominal is None:
            continue
        firing = _firing(event, task, due, user_id, rule, nominal)
        # A reminder whose time had passed before it could exist is not made up for.
        if firing.due_at < max(possible_from, rule.planned_from):
            too_late.append((firing, rule))
        else:
            planned.append(firing)
    planned += _soon(event, task, due, user_id, planned, too_late, possible_from)
    # Quiet hours, jitter and merging shift what is planned; this is where they belong.
    return _superseded(planned)


def _firing(
    event: Event, task: Task, due: Due, user_id: UserId, rule: Rule, nominal: Nominal
) -> Firing:
    firing_class = class_of(rule)
    grace = grace_of(firing_class, nominal.at, nominal.zone)
    useful_until = useful_until_of(firing_class, due, nominal.zone)
    if useful_until <= nominal.at:
        # The due day does not exist on this wall: the reminder came later, but still comes.
        useful_until = nominal.at + grace
    return Firing(
        dedupe_key=dedupe_key(rule.id, task.id, user_id, occurrence=ONCE, due=due),
        due_at=nominal.at,
        nominal_day=due.day,
        event_id=event.id,
        task_id=task.id,
        rule_id=rule.id,
        user_id=user_id,
        firing_class=firing_class,
        grace=grace,
        useful_until=useful_until,
        zone=nominal.zone,
        event_version=event.sched_version,
        task_version=task.sched_version,
    )


def _soon(
    event: Event,
    task: Task,
    due: Due,
    user_id: UserId,
    planned: Sequence[Firing],
    too_late: Sequence[tuple[Firing, Rule]],
    possible_from: datetime,
) -> list[Firing]:
    """One policy reminder in place of all that came too late, while it can still help."""
    if any(firing.firing_class in _POLICY for firing in planned):
        return []
    late = [(firing, rule) for firing, rule in too_late if firing.firing_class in _POLICY]
    if not late:
        return []
    closest, rule = max(late, key=lambda each: (each[0].due_at, each[0].dedupe_key))
    assert isinstance(rule.lead, CalendarLead), "policy reminders have a time of day"
    start = max(possible_from, rule.planned_from)
    today = wall_of(start, closest.zone).date()
    for days in (0, 1):
        wall = datetime.combine(today + timedelta(days=days), rule.lead.at)
        at = resolve(wall, closest.zone)
        if at >= start:
            break
    last = instant_of(due, closest.zone) if due.at else day_over(due, closest.zone)
    if at >= last:
        return []
    nominal = Nominal(at, closest.zone, wall)
    firing = _firing(event, task, due, user_id, rule, nominal)
    return [
        replace(
            firing,
            dedupe_key=dedupe_key(rule.id, task.id, user_id, occurrence=SOON, due=due),
            firing_class=FiringClass.POLICY_NEAR,
            grace=grace_of(FiringClass.POLICY_NEAR, at, closest.zone),
            useful_until=last,
        )
    ]


def _superseded(firings: Sequence[Firing]) -> list[Firing]:
    """A far policy reminder is useful until the next closer one of its task."""
    closer = sorted(firing.due_at for firing in firings if firing.firing_class in _POLICY)
    result: list[Firing] = []
    for firing in firings:
        if firing.firing_class is FiringClass.POLICY_FAR:
            following = [at for at in closer if at > firing.due_at]
            until = min([firing.useful_until, *following])
            result.append(replace(firing, useful_until=until))
        else:
            result.append(firing)
    return result


_POLICY = frozenset({FiringClass.POLICY_FAR, FiringClass.POLICY_NEAR})
