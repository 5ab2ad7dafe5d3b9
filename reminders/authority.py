"""Who may do what in an event: one table, asked by every use case. Pure."""

from enum import Enum

from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from reminders.errors import EventCancelled, EventNotFound, NotInEvent, RoleTooLow, TaskNotFound
from reminders.sight import is_hidden, sees
from reminders.types import Member, Role, Sheet, Task


class Act(Enum):
    """What somebody wants to do in an event."""

    SEE = "see"
    WORK = "work"
    """Finish, reopen and snooze the tasks that one sees, and be reminded of them."""
    MAKE = "make"
    """Add tasks, and change what those say that one made."""
    EDIT = "edit"
    """Change what any task says."""
    HOST = "host"
    """Invite guests, and take invitations back."""
    SEE_GUESTS = "see_guests"
    """Who is invited, and what they answered: not a vendor's business."""
    DECIDE = "decide"
    """Move, rename or cancel the event, say who is in it, delete tasks, rule for others."""


_MAY = {
    Role.OWNER: frozenset(Act),
    Role.COLLABORATOR: frozenset(Act) - {Act.DECIDE},
    Role.VENDOR: frozenset({Act.SEE, Act.WORK, Act.MAKE}),
    Role.GUEST: frozenset({Act.SEE, Act.WORK}),
}


def require(principal: Principal, sheet: Sheet, act: Act) -> None:
    """Refuse unless the principal may do this: members by role, servers by scope.

    Whoever is not in the event is told that there is none.
    """
    if principal.user_id is None:
        principal.require(Scope.REMINDERS)
    else:
        member = sheet.member(principal.user_id)
        if member is None:
            raise EventNotFound("There is no such event.")
        if act not in _MAY[member.role]:
            raise RoleTooLow("Your role in the event does not allow this.", role=str(member.role))
    if act not in (Act.SEE, Act.SEE_GUESTS) and sheet.event.cancelled_at is not None:
        raise EventCancelled("The event was cancelled.")


def require_for(principal: Principal, sheet: Sheet, user_id: UserId | None) -> None:
    """Refuse unless the principal may decide what this user (None: everyone) is told."""
    own = user_id is not None and user_id == principal.user_id
    require(principal, sheet, Act.WORK if own else Act.DECIDE)


def acting_for(principal: Principal, user_id: UserId | None) -> UserId | None:
    """Whom the principal acts for: users for themselves, servers for whom they name."""
    if principal.user_id is not None:
        return principal.user_id
    principal.require(Scope.REMINDERS)
    return user_id


def acting_for_user(principal: Principal, user_id: UserId | None) -> UserId:
    """The same, where there must be somebody. Refuses a server that names nobody."""
    user = acting_for(principal, user_id)
    if user is None:
        raise InvalidInput("user_id", "is required")
    return user


def member_on(sheet: Sheet, user_id: UserId) -> Member:
    """The user's membership. Refuses when they have none."""
    member = sheet.member(user_id)
    if member is None:
        raise NotInEvent("The user is not in the event.", user_id=user_id)
    return member


def task_on(principal: Principal, sheet: Sheet, *, or_deleted: bool = False) -> Task:
    """The sheet's task. Refuses when there is none, or it was deleted, or the principal, who is
    in the event, does not see it: that it is there is not told either."""
    task = sheet.task
    if (
        task is None
        or (task.deleted_at is not None and not or_deleted)
        or is_hidden(sheet, task, principal.user_id)
    ):
        raise TaskNotFound("The event has no such task.")
    return task


def own_task_on(
    principal: Principal, sheet: Sheet, others: Act, *, or_deleted: bool = False
) -> Task:
    """The sheet's task, for whoever made it and still makes tasks, and for those who may do this
    with `others`. Refuses as `task_on` does, and whoever may not."""
    require(principal, sheet, Act.SEE)
    task = task_on(principal, sheet, or_deleted=or_deleted)
    own = principal.user_id is not None and task.created_by == principal.user_id
    require(principal, sheet, Act.MAKE if own else others)
    return task


def check_sees(sheet: Sheet, task: Task, user_id: UserId) -> None:
    """Refuse unless the user is in the event and sees the task: they are to be told of it."""
    if not sees(member_on(sheet, user_id), task):
        raise InvalidInput("user_id", "sees only their own tasks; assign them this one first")
