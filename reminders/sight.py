"""Which tasks of an event somebody sees: who plans it all of them, vendors and guests theirs. Pure.

What one vendor is paid is no other vendor's business.
"""

from kernel.ids import UserId
from reminders.types import Member, Role, Sheet, Task

PLANNING = frozenset({Role.OWNER, Role.COLLABORATOR})
"""The roles that see every task."""


def sees(member: Member | None, task: Task) -> bool:
    """Whether the task is among those that the member sees; who is none sees nothing."""
    return member is not None and (member.role in PLANNING or is_theirs(task, member.user_id))


def is_hidden(sheet: Sheet, task: Task, user_id: UserId | None) -> bool:
    """Whether the user does not see the task; from a server (None) nothing is hidden."""
    return user_id is not None and not sees(sheet.member(user_id), task)


def is_theirs(task: Task, user_id: UserId) -> bool:
    """Whether the task is a user's own business: theirs to do, made by them, or owed to them."""
    payment = task.details.payment
    owed = None if payment is None else payment.vendor_id
    return user_id in (task.assignee_id, task.created_by, owed)


def plans(sheet: Sheet, user_id: UserId | None) -> bool:
    """Whether the user, as every server (None), sees all tasks."""
    member = None if user_id is None else sheet.member(user_id)
    return user_id is None or (member is not None and member.role in PLANNING)
