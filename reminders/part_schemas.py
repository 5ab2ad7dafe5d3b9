"""Bodies about an event's parts, its checklist, and moving it."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec

from reminders.schemas import Ask, OneEvent, Reply
from reminders.shapes import WallTime, Zone

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=32, examples=["henna"])]


class PutAnchor(OneEvent, frozen=True, kw_only=True):
    """Either `day`, or `days` after the event's own day or that of the part `of` (negative:
    before)."""

    code: Code
    day: date | None = None
    days: int | None = None
    at: WallTime | None = None
    zone: Zone | None = None
    of: Code = "main"


class OneAnchor(OneEvent, frozen=True, kw_only=True):
    code: Code


class ListChecklists(Ask, frozen=True, kw_only=True):
    """Which types of events there are checklists for."""


class BeginChecklist(OneEvent, frozen=True, kw_only=True):
    type: Code
    locale: Annotated[str, msgspec.Meta(max_length=35)] = "en"


class ChecklistBody(Reply, frozen=True, kw_only=True):
    type: str
    title: dict[str, str]
    tasks: int
    days: int
    """How long before the event it begins."""


class ChecklistsAnswer(Reply, frozen=True, kw_only=True):
    checklists: list[ChecklistBody]


class BegunAnswer(Reply, frozen=True, kw_only=True):
    """What was added; `start_here` are the first tasks of a plan that had to be compressed."""

    anchors: int
    tasks: int
    start_here: list[UUID]


class ShiftBody(Reply, frozen=True, kw_only=True):
    task_id: UUID
    title: str
    before: date | None
    after: date | None
    late: bool


class PartShiftBody(Reply, frozen=True, kw_only=True):
    code: str
    before: date | None
    after: date | None


class PreviewAnswer(Reply, frozen=True, kw_only=True):
    """What a move would do: the parts and tasks that move, and how many tasks stay."""

    parts: list[PartShiftBody]
    shifts: list[ShiftBody]
    moved: int
    late: int
    pinned: int
