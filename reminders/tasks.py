"""Tasks: create, change, finish, reopen, delete, restore."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal
from kernel.ids import UserId, new_id
from kernel.paging import Page
from kernel.workers import Pulse
from reminders import limits
from reminders.authority import Act, acting_for, own_task_on, require, task_on
from reminders.errors import EventFull, IdTaken
from reminders.fitting import check_assignee, check_due, check_parent, check_vendor
from reminders.ports import CalendarStore, Change, Decide, TakeBack
from reminders.series import begun, completed, reopened
from reminders.sight import sees
from reminders.types import DueSpec, Event, Sheet, Task, TaskDetails


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
        details: TaskDetails = TaskDetails(),  # noqa: B008
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
            details=limits.checked_details(replace(details, snoozes=(), choices=()), due),
        )
        task = begun(task)

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.MAKE)
            if sheet.task is not None:
                if sheet.task.created_by != creator or sheet.task.deleted_at is not None:
                    raise IdTaken("This id is taken.", id=str(task.id))
                return []
            if sheet.task_count >= limits.TASKS:
                raise EventFull("The event has as many tasks as it may.", limit=limits.TASKS)
            check_assignee(sheet, assignee_id)
            check_vendor(sheet, task.details)
            check_due(due, sheet.event)
            check_due(task.details.opens, sheet.event)
            if task.details.parent_id is not None:
                check_parent(sheet, task, seen_by=principal.user_id)
            return [task]

        return await self._change(
            event_id, task.id, decide, with_tasks=details.parent_id is not None
        )

    async def get(self, principal: Principal, event_id: UUID, task_id: UUID) -> Sheet:
        """The task with its event and the rules that touch it."""
        sheet = await self._store.sheet(event_id, task_id=task_id)
        require(principal, sheet, Act.SEE)
        task_on(principal, sheet)
        return sheet

    async def of(
        self, principal: Principal, event_id: UUID, *, cursor: str | None, limit: int
    ) -> tuple[Event, Page[Task]]:
        """The event, and its tasks as far as the principal sees them, in the order they were
        made."""
        sheet = await self._store.sheet(event_id)
        require(principal, sheet, Act.SEE)
        tasks = await self._store.tasks_of(
            event_id, cursor=cursor, limit=limit, seen_by=principal.user_id
        )
        return sheet.event, tasks

    async def update(
        self,
        principal: Principal,
        event_id: UUID,
        task_id: UUID,
        *,
        title: str,
        due: DueSpec,
        assignee_id: UserId | None,
        details: TaskDetails | None = None,
    ) -> Task:
        """Change what the task says, when it is due and whose it is; no `details` keeps them."""
        title = limits.checked_title(title)
        if details is not None:
            limits.checked_details(details, due)
        limits.checked_due(due)
        parts = details is not None and details.parent_id is not None
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            task = own_task_on(principal, sheet, Act.EDIT)
            # What it says already may have stopped to fit, and is no reason to refuse the rest.
            if assignee_id != task.assignee_id:
                check_assignee(sheet, assignee_id)
            if details is not None and details.payment != task.details.payment:
                check_vendor(sheet, details)
            if details is not None and details.opens != task.details.opens:
                check_due(details.opens, sheet.event)
            if due != task.due:
                check_due(due, sheet.event)
            changed = revised(
                task,
                title=title,
                due=due,
                assignee_id=assignee_id,
                details=task.details if details is None else details,
                now=now,
            )
            if changed.details.parent_id not in (None, task.details.parent_id):
                check_parent(sheet, changed, seen_by=principal.user_id)
            return [] if changed == task else [changed, *_taken_away(sheet, task, changed)]

        return await self._change(event_id, task_id, decide, with_tasks=parts)

    async def complete(self, principal: Principal, event_id: UUID, task_id: UUID) -> Task:
        """The task is done: nobody is reminded of it; one that comes again goes on to its next
        occurrence. Once it is done for good, doing so again is harmless."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.WORK)
            task = task_on(principal, sheet)
            if task.done_at:
                return []
            return [replanned(completed(task, sheet.event, now), now), TakeBack(task_id)]

        return await self._change(event_id, task_id, decide)

    async def reopen(self, principal: Principal, event_id: UUID, task_id: UUID) -> Task:
        """The task was not done after all: only reminders still to come are planned again."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.WORK)
            task = task_on(principal, sheet)
            before = reopened(task)
            if before == task:
                return []
            details = replace(before.details, reopened_at=now)
            return [replanned(replace(before, details=details), now)]

        return await self._change(event_id, task_id, decide)

    async def delete(self, principal: Principal, event_id: UUID, task_id: UUID) -> None:
        """Take the task away, for owners and whoever made it."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            task = own_task_on(principal, sheet, Act.DECIDE)
            return [replanned(replace(task, deleted_at=now), now), TakeBack(task_id)]

        await self._decide(event_id, task_id, decide)

    async def restore(self, principal: Principal, event_id: UUID, task_id: UUID) -> Task:
        """Bring back a task that was deleted, for whoever may delete it: as it was, and only
        reminders still to come are planned again. Doing so twice is harmless."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            task = own_task_on(principal, sheet, Act.DECIDE, or_deleted=True)
            if task.deleted_at is None:
                return []
            if sheet.task_count >= limits.TASKS:
                raise EventFull("The event has as many tasks as it may.", limit=limits.TASKS)
            details = replace(task.details, reopened_at=now)
            return [replanned(replace(task, deleted_at=None, details=details), now)]

        return await self._change(event_id, task_id, decide)

    async def _change(
        self, event_id: UUID, task_id: UUID, decide: Decide, *, with_tasks: bool = False
    ) -> Task:
        """The task as it is kept then."""
        kept: list[Task] = []

        def decided(sheet: Sheet) -> Sequence[Change]:
            changes = decide(sheet)
            kept[:] = [each for each in (*changes, sheet.task) if isinstance(each, Task)]
            return changes

        await self._decide(event_id, task_id, decided, with_tasks=with_tasks)
        return kept[0]

    async def _decide(
        self, event_id: UUID, task_id: UUID | None, decide: Decide, *, with_tasks: bool = False
    ) -> None:
        now = self._clock.now()
        await self._store.change(event_id, decide, now=now, task_id=task_id, with_tasks=with_tasks)
        self._planning.beat()


def _taken_away(sheet: Sheet, before: Task, after: Task) -> Sequence[Change]:
    """What was told of the task is taken back from who does not see it any more."""
    return [
        TakeBack(after.id, user_id=each.user_id)
        for each in sheet.members
        if sees(each, before) and not sees(each, after)
    ]


def revised(
    task: Task,
    *,
    title: str,
    due: DueSpec,
    assignee_id: UserId | None,
    details: TaskDetails,
    now: datetime,
) -> Task:
    """The task as somebody wants it now; planned anew only if that can alter its reminders."""
    kept = task.details
    changed = replace(task, title=title, details=_keeping(kept, details))
    changed = begun(replace(changed, due=due), task)
    planned = (due, assignee_id, of_plans(changed.details))
    if planned != (task.due, task.assignee_id, of_plans(task.details)):
        return replanned(replace(changed, assignee_id=assignee_id), now)
    return changed


def of_plans(details: TaskDetails) -> TaskDetails:
    """The details without what no plan is made from."""
    return replace(details, notes="")


def _keeping(kept: TaskDetails, details: TaskDetails) -> TaskDetails:
    """The details as asked for, with what nobody asks for like this."""
    return replace(
        details,
        snoozes=kept.snoozes,
        choices=kept.choices,
        reopened_at=kept.reopened_at,
    )


def replanned(task: Task, now: datetime) -> Task:
    """The task as one whose reminders are planned anew, and none made up for."""
    return replace(task, sched_version=task.sched_version + 1, planned_from=now)
