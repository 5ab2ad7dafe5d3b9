"""The parts of an event, and the checklist it begins with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid5

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.workers import Pulse
from reminders import limits
from reminders.anchoring import checked_anchor, with_anchor
from reminders.authority import Act, acting_for, require
from reminders.checklist import Checklist, Item, checklist, checklist_types
from reminders.days import MAIN, Anchor
from reminders.due import due_on, is_compressed
from reminders.errors import AnchorNotFound, EventFull
from reminders.ports import CalendarStore, Change, Decide
from reminders.times import wall_of
from reminders.types import (
    Event,
    FromEvent,
    Offset,
    Sheet,
    Task,
    TaskDetails,
)

START_HERE = 7
"""Tasks to begin with, at most."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What a checklist added to an event."""

    anchors: int
    tasks: int
    start_here: Sequence[UUID] = ()
    """Where the plan had to be compressed: what is to be done first."""


class Parts:
    """Every change beats `planning`, so that the plan follows at once."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def put(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        code: str,
        day: date | None = None,
        days: int | None = None,
        at: time | None = None,
        zone: str | None = None,
        of: str = MAIN,
    ) -> Sheet:
        """Say when a part of the event is: on a day, or so many days from the event's own or
        from another part's. What hangs on it moves along."""
        anchor = checked_anchor(Anchor(code, day, days, at, zone, of))
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.DECIDE)
            event = sheet.event
            if any(replace(each, since=None) == anchor for each in event.anchors):
                return []
            anchors = with_anchor(event.anchors, replace(anchor, since=now))
            return [_with_anchors(event, anchors, event.planned_from)]

        return await self._change(event_id, decide)

    async def drop(self, principal: Principal, event_id: UUID, *, code: str) -> Sheet:
        """Take a part away: what hangs on it has no day any more, until there is such a part."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.DECIDE)
            others = tuple(each for each in sheet.event.anchors if each.code != code)
            if len(others) == len(sheet.event.anchors):
                raise AnchorNotFound("The event has no such part.", code=code)
            return [_with_anchors(sheet.event, others, now)]

        return await self._change(event_id, decide)

    async def begin(
        self, principal: Principal, event_id: UUID, *, type_name: str, locale: str
    ) -> Begun:
        """Give the event what events of a type need, compressed into the days that are left.

        Doing so twice adds only what the first time did not: what was changed, done or deleted
        since stays so.
        """
        try:
            chosen = checklist(type_name)
        except LookupError:
            raise InvalidInput("type", f"must be one of {', '.join(checklist_types())}") from None
        now = self._clock.now()
        creator = acting_for(principal, None)
        begun: list[Begun] = []

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.DECIDE)
            event, present = sheet.event, {each.id for each in sheet.tasks}
            codes = {each.code for each in event.anchors}
            anchors = [
                Anchor(code, days=part.days, since=now)
                for code, part in chosen.anchors.items()
                if code not in codes
            ]
            today = wall_of(now, event.zone).date()
            whole = _with_anchors(replace(event, usual=True), (*event.anchors, *anchors), now)
            missing = [
                task
                for item in chosen.tasks
                if (task := _task(event, chosen, item, locale, today, now)).id not in present
            ]
            # Tasks are listed as they were made: what is due first first.
            ordered = sorted(missing, key=lambda each: _day_of(each, whole))
            tasks = [
                replace(task, created_by=creator, created_at=now + timedelta(microseconds=number))
                for number, task in enumerate(ordered)
            ]
            if sheet.task_count + len(tasks) > limits.TASKS:
                raise EventFull("The event has as many tasks as it may.", limit=limits.TASKS)
            begun.append(Begun(len(anchors), len(tasks), _first_of(tasks, whole)))
            return [whole, *tasks] if anchors or tasks else []

        await self._decide(event_id, decide, with_tasks=True)
        return begun[0]

    async def _change(self, event_id: UUID, decide: Decide) -> Sheet:
        await self._decide(event_id, decide)
        return await self._store.sheet(event_id)

    async def _decide(self, event_id: UUID, decide: Decide, *, with_tasks: bool = False) -> None:
        now = self._clock.now()
        await self._store.change(event_id, decide, now=now, with_tasks=with_tasks)
        self._planning.beat()


def _first_of(tasks: Sequence[Task], event: Event) -> Sequence[UUID]:
    """A plan begun late looks like a mountain: these, of tasks in order, are where to begin."""
    if not any(is_compressed(task, event) for task in tasks):
        return ()
    return [task.id for task in tasks if due_on(task, event) is not None][:START_HERE]


def _day_of(task: Task, event: Event) -> date:
    due = due_on(task, event)
    return date.max if due is None else due.day


def _task(
    event: Event, chosen: Checklist, item: Item, locale: str, today: date, now: datetime
) -> Task:
    # A part's own tasks have so much less of the whole plan before them.
    span = chosen.span + chosen.day_of(item) - item.days
    opens = None if item.opens is None else FromEvent(Offset(days=item.opens), None, item.anchor)
    return Task(
        id=uuid5(event.id, f"checklist:{chosen.type}:{item.key}"),
        event_id=event.id,
        title=item.title(locale),
        due=FromEvent(Offset(days=item.days), None, item.anchor, span, today),
        assignee_id=None,
        created_by=None,
        created_at=now,
        planned_from=now,
        details=TaskDetails(priority=item.priority, usual=True, opens=opens),
    )


def _with_anchors(event: Event, anchors: tuple[Anchor, ...], since: datetime) -> Event:
    version = event.sched_version + 1
    return replace(event, anchors=anchors, sched_version=version, planned_from=since)
