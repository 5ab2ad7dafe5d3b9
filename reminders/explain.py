"""Why a user is reminded of a task, or is not: every rule, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.paging import Page
from reminders.aftermath import Aftermath, Told
from reminders.alarm import AlarmSync
from reminders.alarm_ports import AlarmStore
from reminders.authority import Act, acting_for_user, require, task_on
from reminders.deriving import due_by, zone_by
from reminders.due import due_on, nominal
from reminders.errors import EventNotFound, NotInEvent, NotInvited
from reminders.firing import Firing, Settled
from reminders.further_tracing import further_traces
from reminders.guest import guest_id
from reminders.guest_tracing import guest_traces, without_place
from reminders.guests.ports import GuestStore
from reminders.identity import ONCE, SOON, collapse_key, dedupe_key
from reminders.lateness import class_of, useful_until_of
from reminders.person import Occasion
from reminders.placing import POLICY, Placement, place
from reminders.ports import Almanac, CalendarStore, FiringStore
from reminders.quiet import hush_of
from reminders.rules import plan, recipients, rules_by_user
from reminders.telling import MERGED, nominal_of
from reminders.times import offset_of
from reminders.tracing import Layer, State, Trace, news_traces
from reminders.types import CalendarLead, Due, Inputs, Role, Rule, Task
from reminders.usual import left_out, occasion_of

SKEW = timedelta(seconds=5)
"""How far apart the clocks of those may be who let a firing go off and who tell it."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Every rule that touches the task, and what became of the user's firings so far; and of
    the notices that told them, by their keys, as far as that is still on record. `holding` is
    what the user's devices acknowledged: they show that by themselves."""

    traces: Sequence[Trace]
    settled: Sequence[Settled]
    told: Mapping[str, Told]
    holding: Sequence[AlarmSync]

    def told_of(self, settled: Settled) -> Told | None:
        """The notice that told a firing: of several that may have, the first one after it."""
        since = (settled.told_at or settled.decided_at) - SKEW
        found = [self.told[key] for key in settled.notice_keys if key in self.told]
        later = [each for each in found if each.at is None or each.at >= since]
        return min(later, key=lambda each: each.at or since, default=None)


class Explain:
    """Computed from what is true now; nothing of it is stored."""

    def __init__(
        self,
        *,
        calendar: CalendarStore,
        firings: FiringStore,
        aftermath: Aftermath,
        alarms: AlarmStore,
        guests: GuestStore,
        almanac: Almanac,
        clock: Clock,
    ) -> None:
        self._guests = guests
        self._calendar = calendar
        self._firings = firings
        self._aftermath = aftermath
        self._alarms = alarms
        self._almanac = almanac
        self._clock = clock

    async def upcoming(
        self, principal: Principal, *, cursor: str | None, limit: int, user_id: UserId | None = None
    ) -> Page[Firing]:
        """What the user will be reminded of within the horizon, the next first."""
        user = acting_for_user(principal, user_id)
        return await self._firings.upcoming(user, cursor=cursor, limit=limit)

    async def of_event(
        self, principal: Principal, event_id: UUID, *, user_id: UserId | None = None
    ) -> Explained:
        """Why the user is told of the event itself, or is not."""
        user = acting_for_user(principal, user_id)
        sheet = await self._calendar.sheet(event_id)
        if sheet is None:
            raise EventNotFound("There is no such event.")
        require(principal, sheet, Act.SEE)
        if sheet.member(user) is None:
            raise NotInEvent("The user is not in the event.", user_id=user)
        person = await self._calendar.person(user)
        people = {} if person is None else {user: person}
        ramadans = await self._almanac.ramadans()
        inputs = Inputs(sheet.event, sheet.members, [], [], people, ramadans)
        traces = news_traces(inputs, user, self._clock.now())
        return await self._explained(traces, await self._firings.settled(event_id, user), user)

    async def of_guest(
        self, principal: Principal, event_id: UUID, *, user_id: UserId, part: str
    ) -> Explained:
        """Why a guest is asked for an answer, or is not: for themselves, hosts and servers.

        Hosts hear neither where the guest is nor what became of it on which device.
        """
        sheet = await self._calendar.sheet(event_id)
        if sheet is None:
            raise EventNotFound("There is no such event.")
        if principal.user_id != user_id:
            require(principal, sheet, Act.SEE_GUESTS)
        invitation = await self._guests.invitation(guest_id(event_id, user_id, part))
        if invitation is None:
            raise NotInvited("The user is not invited to this part.", user_id=user_id)
        traces = guest_traces(
            sheet.event,
            invitation,
            await self._calendar.person(user_id),
            ramadans=await self._almanac.ramadans(),
            now=self._clock.now(),
        )
        settled = await self._firings.settled(invitation.guest.id, user_id)
        if principal.user_id not in (None, user_id):
            return Explained([without_place(each) for each in traces], settled, {}, [])
        return await self._explained(traces, settled, user_id)

    async def of(
        self,
        principal: Principal,
        event_id: UUID,
        task_id: UUID,
        *,
        user_id: UserId | None = None,
    ) -> Explained:
        """Why the task's rules remind the user, or do not."""
        user = acting_for_user(principal, user_id)
        sheet = await self._calendar.sheet(event_id, task_id=task_id)
        if sheet is None:
            raise EventNotFound("There is no such event.")
        require(principal, sheet, Act.SEE)
        task = task_on(sheet)
        if sheet.member(user) is None:
            raise NotInEvent("The user is not in the event.", user_id=user)
        person = await self._calendar.person(user)
        now = self._clock.now()
        ramadans = await self._almanac.ramadans()
        people = {} if person is None else {user: person}
        inputs = Inputs(sheet.event, sheet.members, [task], sheet.rules, people, ramadans)
        inputs = replace(inputs, spread=await self._almanac.spread())
        traces = [trace(inputs, task, rule, user, now) for rule in _touching(inputs, task, user)]
        traces += [
            Trace(rule.id, State.OFF, reason, layer=layer_of(inputs, task, rule, user))
            for rule, reason in left_out(task, sheet.event, user, person, ruled=len(sheet.rules))
        ]
        traces += further_traces(inputs, user, traces, now)
        return await self._explained(traces, await self._firings.settled(task_id, user), user)

    async def _explained(
        self, traces: Sequence[Trace], settled: Sequence[Settled], user_id: UserId
    ) -> Explained:
        keys = sorted({key for each in settled for key in each.notice_keys})
        told = await self._aftermath.of(user_id, keys)
        holding = await self._alarms.syncs([user_id])
        ordered = sorted(holding.values(), key=lambda each: str(each.device_id))
        return Explained(traces, settled, told, ordered)


def _touching(inputs: Inputs, task: Task, user_id: UserId) -> list[Rule]:
    """All stored rules about the task, and what is usual for the user."""
    stored = {rule.id for rule in inputs.rules}
    members = {member.user_id: member for member in inputs.members}
    ruled = rules_by_user(inputs, task, members).get(user_id, [])
    return [*inputs.rules, *(rule for rule in ruled if rule.id not in stored)]


def layer_of(inputs: Inputs, task: Task, rule: Rule, user_id: UserId) -> Layer:
    """Which layer the rule comes from: the closest to the task wins."""
    if any(rule.id == stored.id for stored in inputs.rules):
        return Layer.EVENT if rule.task_id is None else Layer.TASK
    person = inputs.people.get(user_id)
    occasion = occasion_of(task, inputs.event)
    if isinstance(rule.lead, CalendarLead) and rule.lead.before.days < 0:
        occasion = Occasion.OVERDUE
    said = None if person is None else person.usual.get(occasion)
    return Layer.PRODUCT if said is None or said.leads is None else Layer.USER


def trace(inputs: Inputs, task: Task, rule: Rule, user_id: UserId, now: datetime) -> Trace:
    """One rule's way from the task's due to an instant for this user. Pure."""
    found = _traced(inputs, task, rule, user_id, now)
    layer = layer_of(inputs, task, rule, user_id)
    if found.due is None:
        return replace(found, layer=layer)
    return replace(found, layer=layer, due_by=due_by(task, inputs.event))


def _traced(inputs: Inputs, task: Task, rule: Rule, user_id: UserId, now: datetime) -> Trace:
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
    state, reason, firing = _state(inputs, task, rule, user_id, due, placed, now)
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
    inputs: Inputs,
    task: Task,
    rule: Rule,
    user_id: UserId,
    due: Due,
    placed: Placement,
    now: datetime,
) -> tuple[State, str, Firing | None]:
    planned = [
        firing
        for firing in plan(inputs, until=datetime.max.replace(tzinfo=now.tzinfo))
        if firing.user_id == user_id
    ]
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
