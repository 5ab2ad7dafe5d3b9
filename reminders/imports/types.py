"""What an import reads, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from reminders.types import AtWall, Lead, OnDay, Priority


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry of a calendar as the task that it would be.

    `occurrence` says which one of a series it stands in for; empty for the series itself and
    for all else. `remarks` are what of the entry a task does not have.
    """

    uid: str
    occurrence: str
    title: str
    notes: str
    due: OnDay | AtWall | None
    priority: Priority
    rule: str = ""
    except_on: tuple[date, ...] = ()
    leads: tuple[Lead, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that cannot become a task, and why."""

    uid: str
    title: str
    reason: str


Entry = Draft | Refused


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that a calendar has to say, in its own order."""

    name: str
    entries: Sequence[Entry]
    left_out: int = 0
    """Components that are neither events nor tasks."""


class State(StrEnum):
    """What becomes of an entry."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of an import, with what becomes of it."""

    entry: Entry
    state: State
    task_id: UUID | None = None
    reason: str = ""
    alarms: int = 0
    remarks: tuple[str, ...] = ()
