"""What an import changes in an event: each entry is one task for ever, known by its UID. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from kernel.errors import Refusal
from kernel.ids import UserId
from reminders import limits
from reminders.imports.types import Draft, Line, Reading, Refused, State
from reminders.ports import Change, DropRule
from reminders.series import begun
from reminders.sight import plans
from reminders.tasks import revised
from reminders.types import (
    Event,
    Lead,
    Recurrence,
    Rule,
    Sheet,
    Task,
    TaskDetails,
)


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports: alarms are theirs alone, and for a server everybody's."""

    user_id: UserId | None
    now: datetime


def merged(
    reading: Reading, sheet: Sheet, importer: Importer
) -> tuple[Sequence[Line], Sequence[Change]]:
    """What becomes of every entry, and the changes. The sheet has all tasks of the event.

    Importing the same again changes nothing. Whose a task is, that it was done or deleted, and
    what it has beside what calendars say stays as it is.
    """
    tasks = {task.id: task for task in sheet.tasks}
    rules = {rule.id: rule for rule in sheet.rules}
    free = limits.TASKS - sheet.task_count
    lines: list[Line] = []
    changes: list[Change] = []
    for entry in reading.entries:
        if isinstance(entry, Refused):
            lines.append(Line(entry, State.REFUSED, reason=entry.reason))
            continue
        task_id = task_id_of(sheet.event, entry)
        present = tasks.get(task_id)
        reason = _obstacle(present, free, sheet, importer)
        if reason:
            lines.append(Line(entry, State.REFUSED, task_id, reason))
            continue
        try:
            task = _task(sheet.event, entry, present, importer, task_id)
            limits.checked_title(task.title)
            limits.checked_details(task.details, task.due)
        except Refusal as refusal:
            lines.append(Line(entry, State.REFUSED, task_id, refusal.message))
            continue
        ruled, remarks = _ruled(sheet.event, task, entry.leads, rules, importer)
        state = State.UPDATED
        if present is None:
            state, free = State.ADDED, free - 1
        elif task == present and not ruled:
            state = State.UNCHANGED
        if state is not State.UNCHANGED:
            changes += [task, *ruled]
        alarms = len(entry.leads) - len(remarks)
        lines.append(Line(entry, state, task_id, "", alarms, (*entry.remarks, *remarks)))
    return lines, changes


def task_id_of(event: Event, draft: Draft) -> UUID:
    """The task that an entry is, however often it is imported."""
    return uuid5(event.id, f"ics:{draft.uid}\x1f{draft.occurrence}")


def _obstacle(present: Task | None, free: int, sheet: Sheet, importer: Importer) -> str:
    if present is None:
        return "" if free > 0 else f"the event has {limits.TASKS} tasks, as many as it may"
    if present.created_by != importer.user_id and not plans(sheet, importer.user_id):
        return "somebody else made it here"
    return "it was deleted here" if present.deleted_at is not None else ""


def _task(
    event: Event, draft: Draft, present: Task | None, importer: Importer, task_id: UUID
) -> Task:
    recurs = None
    if draft.rule and draft.due is not None:
        recurs = Recurrence(draft.rule, draft.due.day, except_on=draft.except_on)
    if present is None:
        details = TaskDetails(notes=draft.notes, priority=draft.priority, recurs=recurs)
        new = Task(
            id=task_id,
            event_id=event.id,
            title=draft.title,
            due=draft.due,
            assignee_id=None,
            created_by=importer.user_id,
            created_at=importer.now,
            planned_from=importer.now,
            details=details,
        )
        return begun(new)
    details = replace(present.details, notes=draft.notes, priority=draft.priority, recurs=recurs)
    due = draft.due
    earlier = present.details.recurs
    if (
        recurs is not None
        and earlier is not None
        and due is not None
        and (earlier.rule, earlier.start) == (recurs.rule, recurs.start)
        and isinstance(present.due, type(due))
    ):
        # The series went on here since it was imported; the calendar tells where it began.
        moved = earlier.meant is not None and due == replace(earlier.meant, day=due.day)
        due = present.due if moved else replace(due, day=present.due.day)
    return revised(
        present,
        title=draft.title,
        due=due,
        assignee_id=present.assignee_id,
        details=details,
        now=importer.now,
    )


def _ruled(
    event: Event,
    task: Task,
    leads: Sequence[Lead],
    rules: dict[UUID, Rule],
    importer: Importer,
) -> tuple[Sequence[Change], tuple[str, ...]]:
    """The rules that are to come and to go, and which could not."""
    wanted = {_rule_id(task, importer.user_id, lead): lead for lead in leads}
    of_task = [each for each in rules.values() if each.task_id in (task.id, None)]
    going = [each for each in _imported(task, of_task, importer.user_id) if each.id not in wanted]
    staying = [each for each in of_task if each not in going]
    changes: list[Change] = [DropRule(each.id) for each in going]
    remarks: list[str] = []
    for rule_id, lead in wanted.items():
        if rule_id in rules:
            continue
        rule = Rule(
            id=rule_id,
            event_id=event.id,
            task_id=task.id,
            user_id=importer.user_id,
            lead=lead,
            exact=True,
            created_at=importer.now,
            planned_from=importer.now,
        )
        if limits.is_crowded([*staying, rule]):
            remarks.append(f"an alarm is left out: {limits.RULES} rules remind of it already")
            continue
        staying.append(rule)
        changes.append(rule)
    return changes, tuple(remarks)


def _imported(task: Task, rules: Sequence[Rule], user_id: UserId | None) -> Iterator[Rule]:
    """The rules that an earlier import made from alarms for the same user."""
    for rule in rules:
        if rule.task_id == task.id and rule.id == _rule_id(task, user_id, rule.lead):
            yield rule


def _rule_id(task: Task, user_id: UserId | None, lead: Lead) -> UUID:
    return uuid5(task.id, f"alarm:{user_id or ''}:{lead!r}")
