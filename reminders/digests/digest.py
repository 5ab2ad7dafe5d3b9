"""What a digest says: what is due today, what is overdue, what was not told, what comes. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from kernel.ids import UserId
from reminders.digests.turns import Reader
from reminders.due import day_seen, due_on
from reminders.rules import concerned
from reminders.sight import sees
from reminders.types import Due, Event, Member, Task

AHEAD = timedelta(days=7)
"""How far the digest looks ahead."""

LONG_OVERDUE = timedelta(days=28)
"""After that nothing is brought up by itself any more."""

TITLES = 5
"""Tasks that are named; the rest is a number."""


class Part(StrEnum):
    """Why a task is in a digest. It is in it once, for the first reason there is."""

    TODAY = "today"
    FOLDED = "folded"
    """A reminder of it was not sent."""
    OVERDUE = "overdue"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class Plan:
    """An event that the reader is in: who else is, and what is still open."""

    event: Event
    members: Mapping[UserId, Member]
    tasks: Sequence[Task]


@dataclass(frozen=True, slots=True)
class Folded:
    """A firing that waits for the digest."""

    key: bytes
    task_id: UUID


@dataclass(frozen=True, slots=True)
class Line:
    """A task in a digest."""

    part: Part
    event: Event
    task: Task
    due: Due | None


@dataclass(frozen=True, slots=True)
class Digest:
    """What a user is told in one on a day."""

    on: date
    weekly: bool
    lines: Sequence[Line]

    def count(self, part: Part) -> int:
        return sum(line.part is part for line in self.lines)

    @property
    def says_something(self) -> bool:
        """What only lies ahead is worth a word once a week."""
        parts = {line.part for line in self.lines}
        return bool(parts if self.weekly else parts - {Part.AHEAD})


def digest_of(
    reader: Reader, plans: Iterable[Plan], folded: Sequence[Folded], *, on: date, weekly: bool
) -> Digest:
    """The reader's digest of a day: of each open task that is theirs, or was not told."""
    untold = {each.task_id for each in folded}
    lines = [
        Line(part, plan.event, task, due)
        for plan in plans
        for task in plan.tasks
        if _is_for(task, plan, reader.user_id, untold)
        for due in [due_on(task, plan.event)]
        if (part := _part(task, due, reader, untold, on)) is not None
    ]
    return Digest(on, weekly, sorted(lines, key=_order))


def _is_for(task: Task, plan: Plan, user_id: UserId, untold: Container[UUID]) -> bool:
    if task.id in untold:
        return sees(plan.members.get(user_id), task)
    return user_id in concerned(task, plan.members)


def _part(task: Task, due: Due | None, reader: Reader, untold: set[UUID], on: date) -> Part | None:
    day = None if due is None else day_seen(due, reader.zone)
    if day == on:
        return Part.TODAY
    if task.id in untold:
        return Part.FOLDED
    if day is None:
        return None
    if on - LONG_OVERDUE <= day < on:
        return Part.OVERDUE
    return Part.AHEAD if on < day <= on + AHEAD else None


def _order(line: Line) -> tuple[int, date, str]:
    parts = list(Part)
    return parts.index(line.part), date.max if line.due is None else line.due.day, line.task.title
