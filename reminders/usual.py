"""What the product usually says about a task when nobody ruled otherwise. Pure.

These rules are not stored: they follow from the task's priority, for tasks that ask for them.
"""

from collections.abc import Sequence
from datetime import time
from uuid import NAMESPACE_URL, UUID, uuid5

from reminders.due import is_compressed
from reminders.types import CalendarLead, Event, Offset, Priority, Rule, Task

CLOCK = time(9)
"""When policy speaks."""

_DAYS_BEFORE = {Priority.KEY: (30, 7, 1), Priority.NORMAL: (7, 0), Priority.LOW: ()}
_PAYMENT = (7, 2, 0)

_AFTER = (1, 3, 7, 14, 21, 28)
_PAYMENT_AFTER = (1, 3)

_RULE_IDS = {
    days: uuid5(NAMESPACE_URL, f"zaffa:usual:{days}")
    for days in (30, 7, 2, 1, 0, *(-days for days in _AFTER))
}

OPENS = uuid5(NAMESPACE_URL, "zaffa:usual:opens")
"""The rule that says that something can be done from today on."""

SNOOZED = uuid5(NAMESPACE_URL, "zaffa:snoozed")
"""What stands behind a user's wish to be told again."""

USUAL_IDS: frozenset[UUID] = frozenset({*_RULE_IDS.values(), OPENS, SNOOZED})


def usual_rules(task: Task, event: Event) -> Sequence[Rule]:
    """The product's rules for a task, the earliest first."""
    if not task.details.usual:
        return ()
    days = _DAYS_BEFORE[task.details.priority] if task.details.payment is None else _PAYMENT
    return [_rule(_RULE_IDS[each], each, task, event) for each in (*days, *_nags(task, event))]


def _nags(task: Task, event: Event) -> Sequence[int]:
    """Days after the due on which an open task is spoken of, then no more.

    Never what a late start pressed together, what is not important, or what comes again.
    """
    details = task.details
    if not details.nag or details.priority is Priority.LOW or details.recurs is not None:
        return ()
    if is_compressed(task, event):
        return ()
    return [-each for each in (_AFTER if details.payment is None else _PAYMENT_AFTER)]


def opening_rule(task: Task, event: Event) -> Rule | None:
    """The rule that speaks on the day from which the task may be done."""
    if not task.details.usual or task.details.opens is None:
        return None
    return _rule(OPENS, 0, task, event)


def _rule(rule_id: UUID, days: int, task: Task, event: Event) -> Rule:
    return Rule(
        id=rule_id,
        event_id=event.id,
        task_id=task.id,
        user_id=None,
        lead=CalendarLead(Offset(days=days), CLOCK),
        exact=False,
        created_at=task.created_at,
        planned_from=task.planned_from,
    )
