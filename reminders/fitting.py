"""Whether what a task says fits the event that it is in. Pure."""

from collections.abc import Mapping
from uuid import UUID

from kernel.errors import InvalidInput
from kernel.ids import UserId
from reminders.days import MAIN
from reminders.due import due_of
from reminders.errors import AnchorNotFound, NotInEvent, TaskNotFound
from reminders.sight import is_hidden
from reminders.times import checked_day
from reminders.types import DueSpec, Event, FromEvent, Sheet, Task, TaskDetails

DEPTH = 3
"""A task, its parts, and theirs."""


def check_assignee(sheet: Sheet, assignee_id: UserId | None) -> None:
    if assignee_id is not None and sheet.member(assignee_id) is None:
        raise NotInEvent("The assignee is not in the event.", user_id=assignee_id)


def check_vendor(sheet: Sheet, details: TaskDetails) -> None:
    payment = details.payment
    vendor = None if payment is None else payment.vendor_id
    if vendor is not None and sheet.member(vendor) is None:
        raise NotInEvent("The vendor is not in the event.", user_id=vendor)


def check_due(due: DueSpec, event: Event) -> None:
    """Refuse a relative due that hangs on a part that is not there, or whose day would be one
    that nobody can mean."""
    if isinstance(due, FromEvent):
        parts = {MAIN, *(each.code for each in event.anchors)}
        if due.anchor not in parts:
            raise AnchorNotFound("The event has no such part.", code=due.anchor)
    resolved = due_of(due, event)
    if resolved is not None:
        checked_day(resolved.day, field="due")


def check_parent(sheet: Sheet, task: Task, *, seen_by: UserId | None) -> None:
    """Refuse a task as a part of itself, of what is not there or the user (None: a server) does
    not see, or too deep. The sheet is with its tasks; what an earlier release let go round in
    circles is too deep."""
    tasks = {each.id: each for each in sheet.tasks if each.deleted_at is None}
    above = 0
    parent_id = task.details.parent_id
    while parent_id is not None:
        if parent_id == task.id:
            raise InvalidInput("details.parent_id", "must not make a task a part of itself")
        parent = tasks.get(parent_id)
        if parent is None or (above == 0 and is_hidden(sheet, parent, seen_by)):
            raise TaskNotFound("The event has no such task to be a part of.")
        parent_id = parent.details.parent_id
        above += 1
        if above == DEPTH:
            break
    if above + _below(task.id, tasks, DEPTH) > DEPTH:
        raise InvalidInput("details.parent_id", f"must not be more than {DEPTH} tasks deep")


def _below(task_id: UUID, tasks: Mapping[UUID, Task], most: int) -> int:
    """How many tasks deep it goes from here, looking no further down than `most`."""
    if most == 0:
        return 1
    parts = (each.id for each in tasks.values() if each.details.parent_id == task_id)
    return 1 + max((_below(part, tasks, most - 1) for part in parts), default=0)
