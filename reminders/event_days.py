"""The days of an event that are told of: its own and its parts', calls, deadlines. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from reminders.days import MAIN, Deadline
from reminders.due import anchor_of, part_since
from reminders.types import Due, Event, Member
from reminders.usual import usual_id

EVE, DAY = usual_id("eve"), usual_id("day")


@dataclass(frozen=True, slots=True)
class DayTold:
    """A day of the event that is told of on its eve, and when it has come: by which rules.

    `parts` are those that are then, the first first; without any it is the event's own day, and
    whatever else is then goes with it.
    """

    day: date
    start: Due
    """When the first of it begins."""
    eve: UUID
    today: UUID
    since: datetime
    """From when on it is told of so."""
    parts: Sequence[str] = ()


def days_told(event: Event) -> Sequence[DayTold]:
    """The event's own day and those of its parts, each once."""
    told: list[DayTold] = []
    own = anchor_of(event, MAIN)
    if own is not None:
        told.append(DayTold(own.day, own, EVE, DAY, event.planned_from))
    # What becomes of one part may change which other leads its day.
    since = max((part_since(event, each.code) for each in event.anchors), default=None)
    by_day: dict[date, list[tuple[time, str, Due]]] = {}
    for anchor in event.anchors:
        part = anchor_of(event, anchor.code)
        if part is not None and part.day != event.day:
            by_day.setdefault(part.day, []).append((part.at or time.max, anchor.code, part))
    for day, parts in sorted(by_day.items()):
        parts.sort(key=lambda each: each[:2])
        _, first, start = parts[0]
        codes = [code for _, code, _ in parts]
        eve, today = usual_id(f"eve {first}"), usual_id(f"day {first}")
        told.append(DayTold(day, start, eve, today, since or event.planned_from, codes))
    return told


def call_of(event: Event, member: Member) -> Due | None:
    """When a vendor has to be there: at their own time, or when their part begins."""
    part = anchor_of(event, member.part)
    at = member.call_at or (None if part is None else part.at)
    if part is None or at is None:
        return None
    return Due(part.day, at, part.zone or event.zone)


def deadline_of(event: Event, part: str) -> Due | None:
    """By when the guests of a part answer; None if nobody said so, or the part has no day."""
    found = next((each for each in event.deadlines if each.part == part), None)
    return None if found is None else day_of(event, found)


def deadline_since(event: Event, part: str) -> datetime:
    """From when on the guests of a part are to answer by that day."""
    found = next((each for each in event.deadlines if each.part == part), None)
    if found is None:
        return event.planned_from
    since = found.since or event.planned_from
    return since if found.days is None else max(since, part_since(event, part))


def parts_answered(event: Event) -> Mapping[UUID, str]:
    """The parts whose guests answer, by the rule that tells their owners how they stand."""
    return {usual_id(f"answers {each.part}"): each.part for each in event.deadlines}


def day_of(event: Event, deadline: Deadline) -> Due | None:
    """The day of a deadline; None while its part has none."""
    if deadline.day is not None:
        return Due(deadline.day)
    part = anchor_of(event, deadline.part)
    if part is None or deadline.days is None:
        return None
    return Due(part.day + timedelta(days=deadline.days))
