"""Who may do what in an event: one table, asked by every use case. Pure."""

from enum import Enum

from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from reminders.errors import EventCancelled, EventNotFound, NotInEvent, RoleTooLow, TaskNotFound
from reminders.types import Member, Role, Sheet, Task


class Act(Enum):
    """What somebody wants to do in an event."""

    SEE = "see"
    WORK = "work"
    """Make, change, finish and reopen tasks, and rules for oneself."""
    HOST = "host"
    """Invite guests, and take invitations back."""
    SEE_GUESTS = "see_guests"
    """Who is invited, and what they answered: not a vendor's business."""
    DECIDE = "decide"
    """Move, rename or cancel the event, say who is in it, delete tasks, rule for others."""


_MAY = {
    Role.OWNER: frozenset(Act),
    Role.COLLABORATOR: frozenset({Act.SEE, Act.WORK, Act.HOST, Act.SEE_GUESTS}),
    Role.VENDOR: frozenset({Act.SEE, Act.WORK}),
    Role.GUEST: frozenset({Act.SEE}),
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


def task_on(sheet: Sheet) -> Task:
    """The sheet's task. Refuses when there is none, or it was deleted."""
    if sheet.task is None or sheet.task.deleted_at is not None:
        raise TaskNotFound("The event has no such task.")
    return sheet.task
