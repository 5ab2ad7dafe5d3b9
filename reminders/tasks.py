"""Tasks and the rules about them: create, change, finish, reopen, delete; when to remind."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId, new_id
from kernel.paging import Page
from kernel.workers import Pulse
from reminders import limits
from reminders.authority import Act, acting_for, require, require_for
from reminders.due import due_of
from reminders.errors import (
    EventFull,
    EventNotFound,
    IdTaken,
    NotInEvent,
    RuleFixed,
    RuleNotFound,
    TaskNotFound,
    TooManyRules,
)
from reminders.ports import CalendarStore, Change, Decide, DropRule
from reminders.times import checked_day, checked_zone
from reminders.types import (
    CalendarLead,
    DueSpec,
    ElapsedLead,
    Event,
    Lead,
    Rule,
    Sheet,
    Task,
    ZonePolicy,
)


class Tasks:
    """Every change beats `planning`, so that the plan follows at once."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def create(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        title: str,
        due: DueSpec,
        assignee_id: UserId | None = None,
        task_id: UUID | None = None,
    ) -> Task:
        """Make a task. The caller's own `task_id` makes asking twice harmless."""
        now = self._clock.now()
        creator = acting_for(principal, None)
        task = Task(
            id=task_id or new_id(now),
            event_id=event_id,
            title=limits.checked_title(title),
            due=limits.checked_due(due),
            assignee_id=assignee_id,
            created_by=creator,
            created_at=now,
            planned_from=now,
        )

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.WORK)
            if sheet.task is not None:
                if sheet.task.created_by != creator or sheet.task.deleted_at is not None:
                    raise IdTaken("This id is taken.", id=str(task.id))
                return []
            if sheet.task_count >= limits.TASKS:
                raise EventFull("The event has as many tasks as it may.", limit=limits.TASKS)
            _check_assignee(sheet, assignee_id)
            _check_reach(due, sheet.event)
            return [task]

        return await self._change(principal, event_id, task.id, decide)

    async def get(self, principal: Principal, event_id: UUID, task_id: UUID) -> Sheet:
        """The task with its event and the rules that touch it."""
        sheet = await self._store.sheet(event_id, task_id=task_id)
        if sheet is None:
            raise EventNotFound("There is no such event.")
        require(principal, sheet, Act.SEE)
        _task(sheet)
        return sheet

    async def of(
        self, principal: Principal, event_id: UUID, *, cursor: str | None, limit: int
    ) -> Page[Task]:
        """The event's tasks, in the order they were made."""
        sheet = await self._store.sheet(event_id)
        if sheet is None:
            raise EventNotFound("There is no such event.")
        require(principal, sheet, Act.SEE)
        return await self._store.tasks_of(event_id, cursor=cursor, limit=limit)

    async def update(
        self,
        principal: Principal,
        event_id: UUID,
        task_id: UUID,
        *,
        title: str,
        due: DueSpec,
        assignee_id: UserId | None,
    ) -> Task:
        """Change what the task says, when it is due and whose it is."""
        title = limits.checked_title(title)
        limits.checked_due(due)
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.WORK)
            task = _task(sheet)
            if assignee_id != task.assignee_id:
                _check_assignee(sheet, assignee_id)
            if due != task.due:
                _check_reach(due, sheet.event)
            changed = replace(task, title=title)
            if (due, assignee_id) != (task.due, task.assignee_id):
                changed = _replanned(replace(changed, due=due, assignee_id=assignee_id), now)
            return [] if changed == task else [changed]

        return await self._change(principal, event_id, task_id, decide)

    async def complete(self, principal: Principal, event_id: UUID, task_id: UUID) -> Task:
        """The task is done: nobody is reminded of it. Doing so twice is harmless."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.WORK)
            task = _task(sheet)
            return [] if task.done_at else [_replanned(replace(task, done_at=now), now)]

        return await self._change(principal, event_id, task_id, decide)

    async def reopen(self, principal: Principal, event_id: UUID, task_id: UUID) -> Task:
        """The task was not done after all: only reminders still to come are planned again."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.WORK)
            task = _task(sheet)
            return [_replanned(replace(task, done_at=None), now)] if task.done_at else []

        return await self._change(principal, event_id, task_id, decide)

    async def delete(self, principal: Principal, event_id: UUID, task_id: UUID) -> None:
        """Take the task away, for owners and whoever made it."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.SEE)
            task = _task(sheet)
            own = principal.user_id is not None and task.created_by == principal.user_id
            require(principal, sheet, Act.WORK if own else Act.DECIDE)
            return [_replanned(replace(task, deleted_at=now), now)]

        await self._decide(event_id, task_id, decide)

    async def put_rule(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        rule_id: UUID,
        task_id: UUID | None,
        user_id: UserId | None,
        lead: Lead,
        exact: bool,
        zone_policy: ZonePolicy = ZonePolicy.RECIPIENT,
        zone: str | None = None,
    ) -> Rule:
        """Say when somebody is told of a task, or of all the event's tasks.

        Putting again changes the time of day and whose clock it is on. What a rule is about,
        whom it tells and how long before are its identity and stay.
        """
        limits.checked_lead(lead)
        if (zone_policy is ZonePolicy.FIXED) != (zone is not None):
            raise InvalidInput("zone", "belongs to the zone policy 'fixed', and only to it")
        if zone is not None:
            checked_zone(zone)
        now = self._clock.now()
        rule = Rule(
            id=rule_id,
            event_id=event_id,
            task_id=task_id,
            user_id=user_id,
            lead=lead,
            exact=exact,
            created_at=now,
            planned_from=now,
            zone_policy=zone_policy,
            zone=zone,
        )
        put: list[Rule] = []

        def decide(sheet: Sheet) -> Sequence[Change]:
            require_for(principal, sheet, user_id)
            if task_id is not None:
                _check_lead(lead, _task(sheet), sheet.event)
            if user_id is not None and sheet.member(user_id) is None:
                raise NotInEvent("The user is not in the event.", user_id=user_id)
            earlier = next((each for each in sheet.rules if each.id == rule_id), None)
            if earlier is None:
                if limits.is_crowded([*sheet.rules, rule]):
                    raise TooManyRules(
                        "A user may be reminded of one task by so many rules.", limit=limits.RULES
                    )
                put.append(rule)
            else:
                if _identity(earlier) != _identity(rule):
                    raise RuleFixed("Make another rule for that, and delete this one.")
                put.append(replace(rule, created_at=earlier.created_at))
                if replace(put[0], planned_from=earlier.planned_from) == earlier:
                    put[0] = earlier
                    return []
            return [put[0], _touched(sheet)]

        await self._decide(event_id, task_id, decide)
        return put[0]

    async def drop_rule(
        self, principal: Principal, event_id: UUID, *, rule_id: UUID, task_id: UUID | None
    ) -> None:
        """End a rule: for its user and for owners."""

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.SEE)
            found = next(
                (each for each in sheet.rules if (each.id, each.task_id) == (rule_id, task_id)),
                None,
            )
            if found is None:
                raise RuleNotFound("There is no such rule.")
            require_for(principal, sheet, found.user_id)
            return [DropRule(rule_id), _touched(sheet)]

        await self._decide(event_id, task_id, decide)

    async def _change(
        self, principal: Principal, event_id: UUID, task_id: UUID, decide: Decide
    ) -> Task:
        await self._decide(event_id, task_id, decide)
        return _task(await self.get(principal, event_id, task_id))

    async def _decide(self, event_id: UUID, task_id: UUID | None, decide: Decide) -> None:
        now = self._clock.now()
        if not await self._store.change(event_id, decide, now=now, task_id=task_id):
            raise EventNotFound("There is no such event.")
        self._planning.beat()


def _task(sheet: Sheet) -> Task:
    """The sheet's task, if it is still there."""
    if sheet.task is None or sheet.task.deleted_at is not None:
        raise TaskNotFound("The event has no such task.")
    return sheet.task


def _replanned(task: Task, now: datetime) -> Task:
    """The task as one whose reminders are planned anew, and none made up for."""
    return replace(task, sched_version=task.sched_version + 1, planned_from=now)


def _touched(sheet: Sheet) -> Task | Event:
    """What a rule is about, marked so that whatever was planned from it before is stale."""
    if sheet.task is not None:
        return replace(sheet.task, sched_version=sheet.task.sched_version + 1)
    return replace(sheet.event, sched_version=sheet.event.sched_version + 1)


def _check_assignee(sheet: Sheet, assignee_id: UserId | None) -> None:
    if assignee_id is not None and sheet.member(assignee_id) is None:
        raise NotInEvent("The assignee is not in the event.", user_id=assignee_id)


def _check_reach(due: DueSpec, event: Event) -> None:
    """Refuse a relative due whose day would be one that nobody can mean."""
    resolved = due_of(due, event)
    if resolved is not None:
        checked_day(resolved.day, field="due")


def _check_lead(lead: Lead, task: Task, event: Event) -> None:
    due = due_of(task.due, event)
    if isinstance(lead, ElapsedLead) and due is not None and due.at is None:
        raise InvalidInput("lead", "needs a due with a time; this one is all day")


def _identity(rule: Rule) -> tuple[object, ...]:
    lead = rule.lead.before if isinstance(rule.lead, CalendarLead) else rule.lead
    return (rule.task_id, rule.user_id, lead, rule.exact)
