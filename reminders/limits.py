"""How much of everything there may be, and texts as they may be. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from kernel.errors import InvalidInput
from kernel.ids import UserId, is_user_id
from reminders.due import most_days
from reminders.times import checked_day, checked_zone
from reminders.types import (
    AtWall,
    CalendarLead,
    DueSpec,
    ElapsedLead,
    FromEvent,
    Lead,
    Offset,
    OnDay,
    Rule,
    TaskDetails,
)

MEMBERS = 30
TASKS = 400
RULES = 5
"""For one task and one user; those that are for everyone count for each."""

TITLE = 200
"""Characters of a title."""

EXCEPTIONS = 200
"""Days on which what comes again does not."""

NOTES = 4000
"""Characters of a task's notes."""

_CURRENCY = re.compile("[A-Z]{3}")

LEAD = Offset(months=24)
ELAPSED = timedelta(days=28)

_TURNING = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Unicode's controls of direction."""

_LINES = dict.fromkeys([ord(char) for char in "\n\r\t"])
"""Controls that notes may have."""

_UNWRITABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, halves of characters, ends of lines."""


def checked_title(text: str) -> str:
    """The title without what would turn the text around it; refuses one that says nothing."""
    title = text.translate(_TURNING).strip()
    if not title:
        raise InvalidInput("title", "must not be empty")
    if len(title) > TITLE:
        raise InvalidInput("title", f"must have at most {TITLE} characters")
    _check_line("title", title)
    return title


def _check_line(field: str, text: str) -> None:
    if any(unicodedata.category(char) in _UNWRITABLE for char in text):
        raise InvalidInput(field, "must be one line of text")


def checked_user(user_id: str, *, field: str = "user_id") -> UserId:
    """The user id as given. Refuses a text that can name nobody."""
    if not is_user_id(user_id):
        raise InvalidInput(field, "must be a user id: 1 to 128 printable bytes, no spaces")
    return UserId(user_id)


def checked_due(due: DueSpec) -> DueSpec:
    """The due as given. Refuses days, zones and offsets that nobody can mean."""
    match due:
        case None:
            pass
        case OnDay(day):
            checked_day(day, field="due.day")
        case AtWall(day, _, zone):
            checked_day(day, field="due.day")
            checked_zone(zone, field="due.zone")
        case FromEvent(offset, start=start):
            if start is not None:
                checked_day(start, field="due.start")
            if abs(most_days(offset)) > most_days(LEAD):
                raise InvalidInput("due", "must lie within 24 months of the event")
    return due


def checked_details(details: TaskDetails, due: DueSpec) -> TaskDetails:
    """The details as given. Refuses notes without end, payments of nothing, and characters that
    are none to read: calendars with them are no calendars to many apps."""
    if len(details.notes) > NOTES:
        raise InvalidInput("details.notes", f"must have at most {NOTES} characters")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in details.notes.translate(_LINES)):
        raise InvalidInput("details.notes", "must be text without control characters")
    for number, place in enumerate(details.nearby):
        _check_line(f"details.nearby[{number}].label", place.label)
    if details.opens is not None:
        checked_due(details.opens)
    payment = details.payment
    if payment is not None:
        if payment.amount < 0:
            raise InvalidInput("details.payment.amount", "must not be negative")
        if not _CURRENCY.fullmatch(payment.currency):
            raise InvalidInput("details.payment.currency", "must be an ISO 4217 code such as DZD")
        _check_line("details.payment.vendor", payment.vendor)
    if details.recurs is not None:
        if not isinstance(due, OnDay | AtWall):
            raise InvalidInput("due", "must be a day or an appointment, for what comes again")
        if len(details.recurs.except_on) > EXCEPTIONS:
            raise InvalidInput(
                "details.recurrence.except_on", f"must have at most {EXCEPTIONS} days"
            )
    return details


def checked_lead(lead: Lead) -> Lead:
    """The lead as given. Refuses negative and endless ones."""
    match lead:
        case CalendarLead(before, _):
            if min(before.months, before.weeks, before.days) < 0:
                raise InvalidInput("lead", "must not be negative")
            if most_days(before) > most_days(LEAD):
                raise InvalidInput("lead", "must be at most 24 months")
        case ElapsedLead(before):
            if not timedelta(minutes=1) <= before <= ELAPSED:
                raise InvalidInput("lead", "must be between 1 minute and 28 days")
    return lead


def is_crowded(rules: Sequence[Rule]) -> bool:
    """Whether somebody would be told of one task by more rules than allowed."""
    tasks: set[UUID | None] = {rule.task_id for rule in rules}
    users: set[UserId | None] = {rule.user_id for rule in rules}
    return any(
        sum(rule.task_id in (task, None) and rule.user_id in (user, None) for rule in rules) > RULES
        for task in tasks
        for user in users
    )
