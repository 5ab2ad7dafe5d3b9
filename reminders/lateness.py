"""How late is too late, for each class of firing. Pure."""

from datetime import datetime, time, timedelta
from enum import StrEnum

from reminders.due import day_over, instant_of, most_days
from reminders.firing import OVERDUE, PAYMENTS, FiringClass
from reminders.times import resolve, wall_of
from reminders.types import Due, ElapsedLead, Lead, Offset, Priority, Rule, Task

LATENESS_BUCKETS = (0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
"""Of lateness in seconds, from "on the second" to "a day"."""

FOLDS = frozenset({FiringClass.POLICY_FAR, FiringClass.NAG}) | PAYMENTS
"""Classes that are not worth a push of their own once their grace is over."""

_BEFORE = frozenset(
    {FiringClass.POLICY_FAR, FiringClass.POLICY_NEAR, FiringClass.POLICY_LOW, FiringClass.GUEST}
)
"""Classes that nobody wants any more once what they are about has begun."""

_FAR = 2
"""Days ahead from which a policy reminder is far."""

_EVENING = time(20)
"""Until then what is far, and a payment's, may still be sent on its day."""

_GUESTS_EVENING = time(19)
"""Until then guests may be asked."""

_EVENINGS = {
    FiringClass.POLICY_FAR: _EVENING,
    FiringClass.PAYMENT: _EVENING,
    FiringClass.GUEST: _GUESTS_EVENING,
}

_GRACES = {
    FiringClass.EXACT_ELAPSED: timedelta(minutes=10),
    FiringClass.EXACT_CALENDAR: timedelta(minutes=30),
    FiringClass.EVENT_DAY: timedelta(minutes=15),
    FiringClass.POLICY_NEAR: timedelta(hours=2),
    FiringClass.EVENT: timedelta(hours=2),
    FiringClass.NAG: timedelta(hours=24),
    FiringClass.PAYMENT_LATE: timedelta(hours=24),
    FiringClass.POLICY_LOW: timedelta(hours=24),
    FiringClass.DIGEST: timedelta(hours=3, minutes=30),
}
"""How late the firings of a class are still on time, where the hour does not matter."""


class Decision(StrEnum):
    """What lateness leaves to do."""

    SEND = "send"
    FOLD = "fold"
    EXPIRE = "expire"


def class_of(rule: Rule, task: Task) -> FiringClass:
    """The class of a rule's firings about a task."""
    if isinstance(rule.lead, ElapsedLead):
        return FiringClass.EXACT_ELAPSED if rule.exact else FiringClass.POLICY_NEAR
    days = _days(rule.lead.before)
    if rule.exact:
        return FiringClass.EXACT_CALENDAR
    if task.details.payment is not None:
        return FiringClass.PAYMENT_LATE if days < 0 else FiringClass.PAYMENT
    if days < 0:
        return FiringClass.NAG
    if task.details.priority is Priority.LOW:
        return FiringClass.POLICY_LOW
    return FiringClass.POLICY_FAR if days >= _FAR else FiringClass.POLICY_NEAR


def grace_of(firing_class: FiringClass, due_at: datetime, zone: str) -> timedelta:
    """How late the firing is still on time."""
    evening = _EVENINGS.get(firing_class)
    return _GRACES[firing_class] if evening is None else _until(evening, due_at, zone)


def _until(clock: time, due_at: datetime, zone: str) -> timedelta:
    """How long it is until that time of the same day."""
    evening = datetime.combine(wall_of(due_at, zone).date(), clock)
    return max(timedelta(0), resolve(evening, zone) - due_at)


NAGGED = timedelta(days=3)
"""So long what is overdue is worth saying; then the next one says it."""


def useful_until_of(firing_class: FiringClass, due: Due, zone: str, *, at: datetime) -> datetime:
    """From when on nobody wants the firing any more, whose nominal time is `at`."""
    if firing_class in OVERDUE:
        return at + NAGGED
    if firing_class is FiringClass.PAYMENT:
        return day_over(due, zone) + NAGGED
    if firing_class is FiringClass.EXACT_ELAPSED:
        return instant_of(due, zone)
    if firing_class in _BEFORE and due.at is not None:
        return instant_of(due, zone)
    return day_over(due, zone)


def decide(
    firing_class: FiringClass,
    *,
    due_at: datetime,
    grace: timedelta,
    useful_until: datetime,
    now: datetime,
) -> Decision:
    """Send, fold or expire; never goes back from right to left as `now` grows.

    What somebody is owed is never dropped without a word.
    """
    if now >= useful_until:
        return Decision.FOLD if firing_class in PAYMENTS else Decision.EXPIRE
    if now - due_at <= grace or firing_class not in FOLDS:
        return Decision.SEND
    return Decision.FOLD


def lead_days(lead: Lead) -> int:
    """At most so many days lie between a firing and its due."""
    if isinstance(lead, ElapsedLead):
        return lead.before.days + 1
    return most_days(lead.before)


def _days(lead: Offset) -> int:
    """About how many days a lead is; enough to tell near from far."""
    return lead.months * 30 + lead.weeks * 7 + lead.days
