"""From rules to firings. Pure: the same inputs always give the same firings.

`plan` is the only source of firings: nothing else makes, moves or cancels one. Whatever
changes, the plan is made again and compared with what is waiting.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kernel.ids import UserId
from reminders.due import day_over, day_seen, due_of, due_on, earlier, instant_of
from reminders.firing import Firing, FiringClass
from reminders.identity import ONCE, SOON, dedupe_key
from reminders.lateness import class_of, grace_of, useful_until_of
from reminders.placing import POLICY, Nominal, place
from reminders.quiet import Hush, hush_of
from reminders.times import resolve, wall_of
from reminders.types import (
    CalendarLead,
    Due,
    ElapsedLead,
    Event,
    Inputs,
    Member,
    Role,
    Rule,
    Task,
    ZonePolicy,
)
from reminders.usual import opening_rule, usual_rules

MERGED = timedelta(hours=3)
"""Of two policy reminders of one task closer than this the later one is enough."""


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who is told of a task: on whose wall, from when on, and when rather not."""

    user_id: UserId
    zone: str
    possible_from: datetime
    hush: Hush


def plan(inputs: Inputs, *, until: datetime) -> list[Firing]:
    """Every firing of the event that is due before `until`, however long ago; in due order."""
    event = inputs.event
    if event.cancelled_at is not None:
        return []
    members = {member.user_id: member for member in inputs.members}
    hushes = {
        user_id: hush_of(
            inputs.people.get(user_id), event_zone=event.zone, ramadans=inputs.ramadans
        )
        for user_id in members
    }
    firings: list[Firing] = []
    for task in inputs.tasks:
        due = due_on(task, event)
        if due is None or task.done_at is not None or task.deleted_at is not None:
            continue
        ruled = [*inputs.rules, *usual_rules(task, event)]
        for user_id, rules in _rules_by_user(task, ruled, members).items():
            hush = hushes[user_id]
            told = Told(user_id, hush.zone, _possible_from(event, task, members[user_id]), hush)
            firings += _firings(event, task, due, told, rules)
        firings += _opening(event, task, hushes, members)
    return sorted(
        (firing for firing in firings if firing.due_at < until),
        key=lambda firing: (firing.due_at, firing.dedupe_key),
    )


def _opening(
    event: Event, task: Task, hushes: Mapping[UserId, Hush], members: dict[UserId, Member]
) -> list[Firing]:
    """ "You can do this now": once, on the day from which a task may be done."""
    rule, opens = opening_rule(task, event), due_of(task.details.opens, event)
    if rule is None or opens is None:
        return []
    firings: list[Firing] = []
    for user_id in recipients(task, rule, members):
        possible_from = _possible_from(event, task, members[user_id])
        told = Told(user_id, hushes[user_id].zone, possible_from, hushes[user_id])
        nominal = nominal_of(rule, opens, event, told.zone)
        assert nominal is not None, "the rule has a time of day"
        if nominal.at >= possible_from:
            # Said late it still helps, as long as the task is not due itself.
            useful = due_on(task, event) or opens
            firings.append(_firing(event, task, opens, told, rule, nominal, useful=useful))
    return firings


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


def _firings(event: Event, task: Task, due: Due, told: Told, rules: Sequence[Rule]) -> list[Firing]:
    """The firings of one task for one user."""
    planned: list[Firing] = []
    too_late: list[tuple[Firing, Rule]] = []
    for rule in rules:
        nominal = nominal_of(rule, due, event, told.zone)
        if nominal is None:
            continue
        firing = _firing(event, task, due, told, rule, nominal)
        # A reminder whose time had passed before it could exist is not made up for.
        if min(nominal.at, firing.due_at) < max(told.possible_from, rule.planned_from):
            too_late.append((firing, rule))
        else:
            planned.append(firing)
    planned += _soon(event, task, due, told, planned, too_late)
    return _superseded(_merged(planned))


def _firing(
    event: Event,
    task: Task,
    due: Due,
    told: Told,
    rule: Rule,
    nominal: Nominal,
    *,
    useful: Due | None = None,
) -> Firing:
    """The rule's firing about `due`; it is of use until `useful`, or until that."""
    firing_class = class_of(rule)
    useful_until = useful_until_of(firing_class, useful or due, nominal.zone)
    placed = place(
        nominal,
        useful or due,
        firing_class,
        user_id=told.user_id,
        hush=told.hush,
        useful_until=useful_until,
    )
    grace = grace_of(firing_class, placed.at, nominal.zone)
    if useful_until <= placed.at:
        # The due day does not exist on this wall: the reminder came later, but still comes.
        useful_until = placed.at + grace
    at = placed.at
    undo = None if event.moved is None or firing_class not in POLICY else event.moved.until
    # While a move can still be undone, nobody is told of what may not stay so.
    if undo is not None and event.planned_from <= at < undo < useful_until:
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
    late = [(firing, rule) for firing, rule in too_late if firing.firing_class in POLICY]
    if not late:
        return []
    closest, rule = max(late, key=lambda each: (each[0].due_at, each[0].dedupe_key))
    assert isinstance(rule.lead, CalendarLead), "policy reminders have a time of day"
    start = max(told.possible_from, rule.planned_from)
    today = wall_of(start, closest.zone).date()
    last = instant_of(due, closest.zone) if due.at else day_over(due, closest.zone)
    for days in range(_SOON_DAYS):
        wall = datetime.combine(today + timedelta(days=days), rule.lead.at)
        nominal = Nominal(resolve(wall, closest.zone), closest.zone, wall)
        firing = _firing(event, task, due, told, rule, nominal)
        if nominal.at >= last:
            return []
        if start <= min(nominal.at, firing.due_at) and firing.due_at < last:
            break
    else:
        return []
    near = FiringClass.POLICY_NEAR
    return [
        replace(
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
            result.append(replace(firing, useful_until=until))
        else:
            result.append(firing)
    return result


_SOON_DAYS = 7
"""How far the reminder that comes soon may have to look for a day that is not quiet."""
