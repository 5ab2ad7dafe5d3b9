"""How late is too late, for each class of firing. Pure."""

from datetime import datetime, time, timedelta
from enum import StrEnum

from reminders.due import day_over, instant_of
from reminders.firing import FiringClass
from reminders.times import resolve, wall_of
from reminders.types import CalendarLead, Due, ElapsedLead, Lead, Offset, Rule

FOLDS = frozenset({FiringClass.POLICY_FAR})
"""Classes that are not worth a push of their own once their grace is over."""

_FAR = 2
"""Days ahead from which a policy reminder is far."""

_EVENING = time(20)
"""Until then a far policy reminder may still be sent on its day."""


class Decision(StrEnum):
    """What lateness leaves to do."""

    SEND = "send"
    FOLD = "fold"
    EXPIRE = "expire"


def class_of(rule: Rule) -> FiringClass:
    """The class of a rule's firings."""
    match rule.lead:
        case ElapsedLead():
            return FiringClass.EXACT_ELAPSED
        case CalendarLead(before):
            if _days(before) < 0:
                return FiringClass.NAG
            if rule.exact:
                return FiringClass.EXACT_CALENDAR
            return FiringClass.POLICY_FAR if _days(before) >= _FAR else FiringClass.POLICY_NEAR


def grace_of(firing_class: FiringClass, due_at: datetime, zone: str) -> timedelta:
    """How late the firing is still on time."""
    match firing_class:
        case FiringClass.EXACT_ELAPSED:
            return timedelta(minutes=10)
        case FiringClass.EXACT_CALENDAR:
            return timedelta(minutes=30)
        case FiringClass.POLICY_NEAR:
            return timedelta(hours=2)
        case FiringClass.NAG:
            return timedelta(hours=24)
        case FiringClass.POLICY_FAR:
            evening = datetime.combine(wall_of(due_at, zone).date(), _EVENING)
            return max(timedelta(0), resolve(evening, zone) - due_at)


NAGGED = timedelta(days=3)
"""So long what is overdue is worth saying; then the next one says it."""


def useful_until_of(firing_class: FiringClass, due: Due, zone: str, *, at: datetime) -> datetime:
    """From when on nobody wants the firing any more, whose nominal time is `at`."""
    if firing_class is FiringClass.NAG:
        return at + NAGGED
    if firing_class is FiringClass.EXACT_ELAPSED:
        return instant_of(due, zone)
    if firing_class is FiringClass.POLICY_FAR and due.at is not None:
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
    """Send, fold or expire; never goes back from right to left as `now` grows."""
    if now >= useful_until:
        return Decision.EXPIRE
    if now - due_at <= grace or firing_class not in FOLDS:
        return Decision.SEND
    return Decision.FOLD


def lead_days(lead: Lead) -> int:
    """At most so many days lie between a firing and its due."""
    match lead:
        case ElapsedLead(before):
            return before.days + 1
        case CalendarLead(before):
            return before.months * 31 + before.weeks * 7 + before.days


def _days(lead: Offset) -> int:
    """About how many days a lead is; enough to tell near from far."""
    return lead.months * 30 + lead.weeks * 7 + lead.days
