"""Taking a user out of an event for good: afterwards nothing in it names them. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from kernel.ids import UserId
from reminders.days import Moved
from reminders.ports import Change, DropRule, RemoveMember
from reminders.types import Event, Member, Role, Sheet, Task, TaskDetails


def without(sheet: Sheet, user_id: UserId) -> Sequence[Change] | None:
    """What changes in an event of which the sheet shows all tasks, for it to be without a user;
    None if nobody is left then to decide about it.

    What was assigned to them is the owners' again. Where they were the only owner, whoever
    collaborated the longest is one now.
    """
    event = _unnamed(sheet.event, user_id)
    changes: list[Change] = []
    if sheet.member(user_id) is not None:
        event = replace(event, sched_version=event.sched_version + 1)
        changes.append(RemoveMember(user_id))
    if _is_only_owner(sheet, user_id):
        heir = _heir(sheet)
        if heir is None:
            return None
        changes.append(replace(heir, role=Role.OWNER))
    changes += [DropRule(each.id) for each in sheet.rules if each.user_id == user_id]
    changes += [] if event == sheet.event else [event]
    tasks = [(each, _task_without(each, user_id)) for each in sheet.tasks]
    return [*changes, *(task for before, task in tasks if task != before)]


def _heir(sheet: Sheet) -> Member | None:
    helping = [each for each in sheet.members if each.role is Role.COLLABORATOR]
    return min(helping, key=lambda each: (each.joined_at, each.user_id), default=None)


def _is_only_owner(sheet: Sheet, user_id: UserId) -> bool:
    return {each.user_id for each in sheet.members if each.role is Role.OWNER} == {user_id}


def _unnamed(event: Event, user_id: UserId) -> Event:
    created_by = None if event.created_by == user_id else event.created_by
    return replace(event, created_by=created_by, moved=_moved_by_nobody(event.moved, user_id))


def _moved_by_nobody(moved: Moved | None, user_id: UserId) -> Moved | None:
    if moved is None:
        return None
    by = None if moved.by == user_id else moved.by
    return replace(moved, by=by, untold=_moved_by_nobody(moved.untold, user_id))


def _task_without(task: Task, user_id: UserId) -> Task:
    own = replace(
        task,
        created_by=None if task.created_by == user_id else task.created_by,
        assignee_id=None if task.assignee_id == user_id else task.assignee_id,
        details=_details_without(task.details, user_id),
    )
    if (own.assignee_id, own.details) != (task.assignee_id, task.details):
        return replace(own, sched_version=own.sched_version + 1)
    return own


def _details_without(details: TaskDetails, user_id: UserId) -> TaskDetails:
    payment = details.payment
    if payment is not None and payment.vendor_id == user_id:
        # The name beside the id is theirs as well.
        payment = replace(payment, vendor_id=None, vendor="")
    return replace(
        details,
        payment=payment,
        snoozes=tuple(each for each in details.snoozes if each.user_id != user_id),
        choices=tuple(each for each in details.choices if each.user_id != user_id),
    )
