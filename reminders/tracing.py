"""One reminder's way from what was meant to an instant, as far as it goes: what explains it."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from kernel.ids import UserId
from reminders.event_days import DAY, EVE, days_told
from reminders.event_news import news_of, spoken_as
from reminders.firing import Firing, FiringClass
from reminders.identity import collapse_key
from reminders.person import Occasion, Person
from reminders.times import offset_of, wall_of
from reminders.types import Inputs, Role


class State(StrEnum):
    """Where a rule stands with a user."""

    PLANNED = "planned"
    HELD = "held"
    """Planned, but nothing would go off as things stand."""
    PASSED = "passed"
    NOT_CONCERNED = "not_concerned"
    NO_DUE = "no_due"
    DONE = "done"
    NOT_TIMED = "not_timed"
    MERGED = "merged"
    TOO_LATE = "too_late"
    OFF = "off"
    """Usual, but not for this user or this task."""


class Layer(StrEnum):
    """Where a rule comes from."""

    PRODUCT = "product"
    USER = "user"
    EVENT = "event"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class Trace:
    """One rule's way from due value to instant, as far as it goes."""

    rule_id: UUID
    state: State
    reason: str
    due: str | None = None
    wall: datetime | None = None
    zone: str | None = None
    utc_offset: timedelta | None = None
    due_at: datetime | None = None
    moved_by: str | None = None
    """What it gives way to, if anything."""
    jitter: timedelta | None = None
    layer: Layer = Layer.TASK
    due_by: str = ""
    """What makes the task due when it is."""
    zone_by: str = ""
    """Why the wall is that of the zone."""
    key: str = ""
    """The identity of the firing, as devices and notices know it."""
    lead: str = ""
    """How early the rule speaks."""
    firing_class: FiringClass | None = None


def trace_of(firing: Firing, reason: str, layer: Layer, now: datetime) -> Trace:
    """What there is to say of a firing from itself alone."""
    return Trace(
        rule_id=firing.rule_id,
        state=State.PASSED if firing.due_at <= now else State.PLANNED,
        reason=reason,
        due=firing.nominal_day.isoformat(),
        wall=wall_of(firing.due_at, firing.zone),
        zone=firing.zone,
        utc_offset=offset_of(firing.due_at, firing.zone),
        due_at=firing.due_at,
        layer=layer,
        key=collapse_key(firing.dedupe_key),
        firing_class=firing.firing_class,
    )


def as_things_stand(
    traces: Iterable[Trace], person: Person | None, paused: Container[FiringClass]
) -> list[Trace]:
    """The traces, with those held back that would not be told now although they are planned."""

    def held(trace: Trace) -> Trace:
        if trace.state is not State.PLANNED:
            return trace
        if person is not None and person.muted:
            return replace(trace, state=State.HELD, reason="the user wants no reminders")
        if trace.firing_class in paused:
            reason = f"operators hold back {trace.firing_class}"
            return replace(trace, state=State.HELD, reason=reason)
        return trace

    return [held(each) for each in traces]


def news_traces(inputs: Inputs, user_id: UserId, now: datetime) -> list[Trace]:
    """What the user is told of the event itself, and why nothing of its eve and its day. Pure."""
    event, person = inputs.event, inputs.people.get(user_id)
    traces = [
        trace_of(firing, spoken_as(event, firing.rule_id), Layer.PRODUCT, now)
        for firing in news_of(inputs)
        if firing.user_id == user_id
    ]
    told = {each.rule_id for each in traces}
    ruled = [(EVE, Occasion.EVENT_EVE), (DAY, Occasion.EVENT_DAY)]
    for day in days_told(event):
        if day.parts:
            ruled += [(day.eve, Occasion.EVENT_EVE), (day.today, Occasion.EVENT_DAY)]
    for rule_id, occasion in ruled:
        said = None if person is None else person.usual.get(occasion)
        if rule_id in told:
            continue
        if event.cancelled_at is not None:
            state, reason = State.DONE, "the event was cancelled"
        elif event.day is None and rule_id in (EVE, DAY):
            state, reason = State.NO_DUE, "the event has no day"
        elif not event.usual:
            state, reason = State.OFF, "the event is not told of as usual"
        elif said is not None and not said.on:
            state, reason = State.OFF, "the user turned it off"
        else:
            state, reason = _untold(inputs, user_id)
        traces.append(Trace(rule_id, state, reason, layer=Layer.PRODUCT))
    return traces


def _untold(inputs: Inputs, user_id: UserId) -> tuple[State, str]:
    """Why the user hears nothing of a day that the event is told of."""
    role = next((each.role for each in inputs.members if each.user_id == user_id), None)
    if role is Role.GUEST:
        return State.NOT_CONCERNED, "guests are not told of the event itself"
    if role is Role.VENDOR:
        return State.NOT_CONCERNED, "it had passed before, or is of a part they are not called to"
    return State.TOO_LATE, "its time had passed before the event, the day or the member was there"
