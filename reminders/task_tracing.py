"""Why a user is reminded of a task, or is not: every rule that touches it, step by step. Pure."""

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
from reminders.placing import POLICY, Nominal, Placement, place
from reminders.quiet import hush_of
from reminders.rules import plan, recipients, rules_by_user
from reminders.telling import MERGED, is_near_snooze, nominal_of
from reminders.times import offset_of
from reminders.tracing import Layer, State, Trace
from reminders.types import CalendarLead, Due, Inputs, Role, Rule, Task
from reminders.usual import left_out, occasion_of


def task_traces(inputs: Inputs, task: Task, user_id: UserId, now: datetime) -> list[Trace]:
    """The way of each of the task's rules to an instant for this user, or why there is none;
    then what else is planned of the task."""
    # What others are told of it is not looked at: whether it is theirs, is.
    near = [each for each in inputs.members if each.user_id in (user_id, task.assignee_id)]
    tracing = _Tracing(replace(inputs, members=near), task, user_id, now)
    traces = [tracing.of(rule) for rule in tracing.touching()]
    return [*traces, *tracing.left_out(), *further_traces(tracing.planned, traces, now)]


class _Tracing:
    """What the ways of a task's rules to one user have in common."""

    def __init__(self, inputs: Inputs, task: Task, user_id: UserId, now: datetime) -> None:
        self._inputs = inputs
        self._event = inputs.event
        self._task = task
        self._user_id = user_id
        self._now = now
        self._person = inputs.people.get(user_id)
        self._members = {member.user_id: member for member in inputs.members}
        self._due = due = due_on(task, inputs.event)
        over = now if due is None else max(now, day_over(due, inputs.event.zone))
        self.planned = [
            firing
            for firing in plan(inputs, until=over + AHEAD)
            if firing.user_id == user_id and firing.task_id == task.id
        ]
        """The user's firings of the task: all of the open occurrence, and what comes soon."""

    def touching(self) -> list[Rule]:
        """All stored rules about the task, and what is usual for the user."""
        stored = {rule.id for rule in self._inputs.rules}
        ruled = rules_by_user(self._inputs, self._task, self._members).get(self._user_id, [])
        return [*self._inputs.rules, *(rule for rule in ruled if rule.id not in stored)]

    def left_out(self) -> list[Trace]:
        """What is usual, but not for the user or this task."""
        rules = left_out(
            self._task,
            self._event,
            self._user_id,
            self._person,
            ruled=len(self._inputs.rules),
        )
        return [
            Trace(
                rule.id,
                State.OFF,
                reason,
                layer=self._layer_of(rule),
                lead=lead_said(rule.lead),
            )
            for rule, reason in rules
        ]

    def of(self, rule: Rule) -> Trace:
        """One rule's way from the task's due to an instant."""
        found = replace(
            self._way_of(rule),
            layer=self._layer_of(rule),
            lead=lead_said(rule.lead),
            firing_class=class_of(rule, self._task),
        )
        return (
            found if found.due is None else replace(found, due_by=due_by(self._task, self._event))
        )

    def _layer_of(self, rule: Rule) -> Layer:
        """Which layer the rule comes from: the closest to the task wins."""
        if any(rule.id == stored.id for stored in self._inputs.rules):
            return Layer.EVENT if rule.task_id is None else Layer.TASK
        occasion = occasion_of(self._task, self._event)
        if isinstance(rule.lead, CalendarLead) and rule.lead.before.days < 0:
            occasion = Occasion.OVERDUE
        said = None if self._person is None else self._person.usual.get(occasion)
        return Layer.PRODUCT if said is None or said.leads is None else Layer.USER

    def _way_of(self, rule: Rule) -> Trace:
        """How far the rule gets: to an instant, or to what stands against it."""
        if self._event.cancelled_at is not None:
            return Trace(rule.id, State.DONE, "the event was cancelled")
        if self._user_id not in set(recipients(self._task, rule, self._members)):
            blind = rule.user_id == self._user_id
            reason = "the task is none that the user sees" if blind else "the rule tells others"
            return Trace(rule.id, State.NOT_CONCERNED, reason)
        due = self._due
        if due is None:
            return Trace(rule.id, State.NO_DUE, "the task has no due, or its event has no day")
        if self._task.done_at is not None:
            return Trace(rule.id, State.DONE, "the task is done", due=nominal(due))
        zone = self._event.zone if self._person is None else self._person.zone_now
        meant = nominal_of(rule, due, self._event, zone)
        if meant is None:
            reason = "time before an all-day due means nothing"
            return Trace(rule.id, State.NOT_TIMED, reason, due=nominal(due))
        return self._placed(rule, due, meant)

    def _placed(self, rule: Rule, due: Due, meant: Nominal) -> Trace:
        """Where the rule speaks, what moved it there, and where it stands."""
        firing_class, member = class_of(rule, self._task), self._members.get(self._user_id)
        hush = hush_of(
            self._person,
            event_zone=self._event.zone,
            ramadans=self._inputs.ramadans,
            at_work=member is not None and member.role is Role.VENDOR,
        )
        placed = place(
            meant,
            due,
            firing_class,
            user_id=self._user_id,
            hush=hush,
            useful_until=useful_until_of(firing_class, due, meant.zone, at=meant.at),
            at_least=self._inputs.spread,
        )
        state, reason, firing = self._standing(rule, due, placed)
        return Trace(
            rule_id=rule.id,
            state=state,
            reason=reason,
            due=nominal(due),
            wall=meant.wall,
            zone=meant.zone,
            utc_offset=offset_of(meant.at, meant.zone),
            due_at=placed.at if firing is None else firing.due_at,
            moved_by=placed.moved_by or ("the due is earlier" if placed.clamped else None),
            jitter=placed.jitter,
            zone_by=zone_by(rule, self._person),
            key=collapse_key(self._key(rule, due, ONCE) if firing is None else firing.dedupe_key),
        )

    def _standing(
        self, rule: Rule, due: Due, placed: Placement
    ) -> tuple[State, str, Firing | None]:
        """Where the rule stands: as the firing that is planned of it, or by what took its place."""
        once, soon = self._key(rule, due, ONCE), self._key(rule, due, SOON)
        for firing in self.planned:
            if firing.dedupe_key == once:
                if firing.due_at <= self._now:
                    return State.PASSED, "its time has come", firing
                return State.PLANNED, "", firing
            if firing.dedupe_key == soon:
                return State.PLANNED, "soon, because its own time had passed already", firing
        if class_of(rule, self._task) in POLICY and any(
            firing.firing_class in POLICY and timedelta(0) <= firing.due_at - placed.at < MERGED
            for firing in self.planned
        ):
            return State.MERGED, "another reminder of the task follows within hours", None
        if is_near_snooze(class_of(rule, self._task), placed.at, self._task, self._user_id):
            if placed.at <= self._now:
                return State.PASSED, "its time has come", None
            return State.MERGED, "the user asked to be told again within hours", None
        return State.TOO_LATE, "its time had passed before the task, rule or member was there", None

    def _key(self, rule: Rule, due: Due, occurrence: str) -> bytes:
        return dedupe_key(rule.id, self._task.id, self._user_id, occurrence=occurrence, due=due)
