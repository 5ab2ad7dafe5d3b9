"""Where a due and a wall come from, in words: the beginning of an explanation. Pure."""

from reminders.due import anchor_of, due_of, is_compressed, moved
from reminders.person import Person
from reminders.types import (
    CalendarLead,
    ElapsedLead,
    Event,
    FromEvent,
    Lead,
    Offset,
    Rule,
    Task,
    ZonePolicy,
)


def due_by(task: Task, event: Event) -> str:
    """What makes a task due when it is."""
    parts = [_said(task, event)]
    if is_compressed(task, event):
        parts.append("drawn together because the plan was begun late")
    due, opens = due_of(task.due, event), due_of(task.details.opens, event)
    if due is not None and opens is not None and due.day < opens.day:
        parts.append(f"not before {opens.day}")
    if task.details.recurs is not None:
        parts.append(f"comes again by {task.details.recurs.rule}")
    return ", ".join(parts)


def zone_by(rule: Rule, person: Person | None) -> str:
    """Why a rule's time is on the wall that it is on."""
    match rule.zone_policy:
        case ZonePolicy.FIXED:
            return "the rule's own zone"
        case ZonePolicy.EVENT:
            return "the event's zone"
        case ZonePolicy.RECIPIENT if person is None:
            return "the event's zone, for the user has no profile"
        case ZonePolicy.RECIPIENT:
            followed = person.follow_device and person.device_zone is not None
            return "where the user's device is" if followed else "the user's profile"


def lead_said(lead: Lead) -> str:
    """How early a rule speaks: "7 days before at 09:00"."""
    match lead:
        case ElapsedLead(before):
            minutes = int(before.total_seconds() // 60)
            return f"{_counted(minutes, 'minute')} before" if minutes else "when it is due"
        case CalendarLead(before, at):
            far = Offset(-before.months, -before.weeks, -before.days)
            return f"{_far(far, none='on the day')} at {at:%H:%M}"


def _said(task: Task, event: Event) -> str:
    if not isinstance(task.due, FromEvent):
        return "as it was typed"
    anchor = anchor_of(event, task.due.anchor)
    if anchor is None:
        return f"{_far(task.due.offset)} {task.due.anchor}, which has no day"
    meant = moved(anchor.day, task.due.offset)
    return f"{_far(task.due.offset)} {task.due.anchor} on {anchor.day}: {meant}"


def _far(offset: Offset, *, none: str = "on the day of") -> str:
    """How far from a part: "1 month 2 days before"; `none` if not at all."""
    counts = [
        (offset.months, "month"),
        (offset.weeks, "week"),
        (offset.days, "day"),
    ]
    said = [(count, _counted(abs(count), unit)) for count, unit in counts]
    before = [text for count, text in said if count < 0]
    after = [text for count, text in said if count > 0]
    sides = ((before, "before"), (after, "after"))
    return " and ".join(f"{' '.join(each)} {side}" for each, side in sides if each) or none


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"
