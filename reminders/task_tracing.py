"""Why a user is reminded of a task, or is not: every rule that touches it, step by step. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kernel.ids import UserId
from reminders.deriving import due_by, lead_said, zone_by
from reminders.due import day_over, due_on, nominal
from reminders.firing import Firing
from reminders.further_tracing import AHEAD, further_traces
from reminders.identity import ONCE, SOON, collapse_key, dedupe_key
from reminders.lateness import class_of, useful_until_of
from reminders.person import Occasion
from reminders.placing import POLICY, Placement, place
from reminders.quiet import hush_of
from reminders.rules import plan, recipients, rules_by_user
from reminders.telling import MERGED, nominal_of
from reminders.times import offset_of
from reminders.tracing import Layer, State, Trace
from reminders.types import CalendarLead, Due, Inputs, Role, Rule, Task
from reminders.usual import left_out, occasion_of


def task_traces(inputs: Inputs, task: Task, user_id: UserId, now: datetime) -> list[Trace]:
    """The way of each of the task's rules to an instant for this user, or why there is none;
    then what else is planned of the task."""
    # What others are told of it is not looked at: whether it is theirs, is.
    near = [each for each in inputs.members if each.user_id in (user_id, task.assignee_id)]
    inputs = replace(inputs, members=near)
    event, person = inputs.event, inputs.people.get(user_id)
    planned = _planned(inputs, task, user_id, now)
    traces = [
        _trace(inputs, task, rule, user_id, planned, now)
        for rule in _touching(inputs, task, user_id)
    ]
    traces += [
        Trace(
            rule.id,
            State.OFF,
            reason,
            layer=_layer_of(inputs, task, rule, user_id),
            lead=lead_said(rule.lead),
        )
        for rule, reason in left_out(task, event, user_id, person, ruled=len(inputs.rules))
    ]
    return traces + further_traces(planned, traces, now)


def _planned(inputs: Inputs, task: Task, user_id: UserId, now: datetime) -> Sequence[Firing]:
    """The user's firings of the task, up to all of the open occurrence and what comes soon."""
    due = due_on(task, inputs.event)
    over = now if due is None else max(now, day_over(due, inputs.event.zone))
    return [
        firing
        for firing in plan(inputs, until=over + AHEAD)
        if firing.user_id == user_id and firing.task_id == task.id
    ]


def _touching(inputs: Inputs, task: Task, user_id: UserId) -> list[Rule]:
    """All stored rules about the task, and what is usual for the user."""
    stored = {rule.id for rule in inputs.rules}
    members = {member.user_id: member for member in inputs.members}
    ruled = rules_by_user(inputs, task, members).get(user_id, [])
    return [*inputs.rules, *(rule for rule in ruled if rule.id not in stored)]


def _layer_of(inputs: Inputs, task: Task, rule: Rule, user_id: UserId) -> Layer:
    """Which layer the rule comes from: the closest to the task wins."""
    if any(rule.id == stored.id for stored in inputs.rules):
        return Layer.EVENT if rule.task_id is None else Layer.TASK
    person = inputs.people.get(user_id)
    occasion = occasion_of(task, inputs.event)
    if isinstance(rule.lead, CalendarLead) and rule.lead.before.days < 0:
        occasion = Occasion.OVERDUE
    said = None if person is None else person.usual.get(occasion)
    return Layer.PRODUCT if said is None or said.leads is None else Layer.USER


def _trace(
    inputs: Inputs,
    task: Task,
    rule: Rule,
    user_id: UserId,
    planned: Sequence[Firing],
    now: datetime,
) -> Trace:
    """One rule's way from the task's due to an instant for this user."""
    found = replace(
        _traced(inputs, task, rule, user_id, planned, now),
        layer=_layer_of(inputs, task, rule, user_id),
        lead=lead_said(rule.lead),
        firing_class=class_of(rule, task),
    )
    return found if found.due is None else replace(found, due_by=due_by(task, inputs.event))


def _traced(
    inputs: Inputs,
    task: Task,
    rule: Rule,
    user_id: UserId,
    planned: Sequence[Firing],
    now: datetime,
) -> Trace:
    event = inputs.event
    person = inputs.people.get(user_id)
    members = {member.user_id: member for member in inputs.members}
    at_work = user_id in members and members[user_id].role is Role.VENDOR
    if event.cancelled_at is not None:
        return Trace(rule.id, State.DONE, "the event was cancelled")
    if user_id not in set(recipients(task, rule, members)):
        return Trace(rule.id, State.NOT_CONCERNED, "the rule tells somebody else")
    due = due_on(task, event)
    if due is None:
        return Trace(rule.id, State.NO_DUE, "the task has no due, or its event has no day")
    if task.done_at is not None:
        return Trace(rule.id, State.DONE, "the task is done", due=nominal(due))
    zone = event.zone if person is None else person.zone_now
    found = nominal_of(rule, due, event, zone)
    if found is None:
        return Trace(
            rule.id, State.NOT_TIMED, "time before an all-day due means nothing", due=nominal(due)
        )
    firing_class = class_of(rule, task)
    placed = place(
        found,
        due,
        firing_class,
        user_id=user_id,
        hush=hush_of(person, event_zone=event.zone, ramadans=inputs.ramadans, at_work=at_work),
        useful_until=useful_until_of(firing_class, due, found.zone, at=found.at),
        at_least=inputs.spread,
    )
    state, reason, firing = _state(planned, task, rule, user_id, due, placed, now)
    key = dedupe_key(rule.id, task.id, user_id, occurrence=ONCE, due=due)
    return Trace(
        rule_id=rule.id,
        state=state,
        reason=reason,
        due=nominal(due),
        wall=found.wall,
        zone=found.zone,
        utc_offset=offset_of(found.at, found.zone),
        due_at=placed.at if firing is None else firing.due_at,
        moved_by=placed.moved_by or ("the due is earlier" if placed.clamped else None),
        jitter=placed.jitter,
        zone_by=zone_by(rule, person),
        key=collapse_key(key if firing is None else firing.dedupe_key),
    )


def _state(
    planned: Sequence[Firing],
    task: Task,
    rule: Rule,
    user_id: UserId,
    due: Due,
    placed: Placement,
    now: datetime,
) -> tuple[State, str, Firing | None]:
    """Where the rule stands: as the firing that is planned of it, or by what took its place."""
    for firing in planned:
        if firing.dedupe_key == dedupe_key(rule.id, task.id, user_id, occurrence=ONCE, due=due):
            if firing.due_at <= now:
                return State.PASSED, "its time has come", firing
            return State.PLANNED, "", firing
        if firing.dedupe_key == dedupe_key(rule.id, task.id, user_id, occurrence=SOON, due=due):
            return State.PLANNED, "soon, because its own time had passed already", firing
    if class_of(rule, task) in POLICY and any(
        firing.firing_class in POLICY and timedelta(0) <= firing.due_at - placed.at < MERGED
        for firing in planned
    ):
        return State.MERGED, "another reminder of the task follows within hours", None
    return State.TOO_LATE, "its time had passed before the task, rule or member was there", None
