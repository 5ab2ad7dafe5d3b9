"""Bodies of the API of imports."""

from uuid import UUID

from reminders.schemas import OneEvent, Reply
from reminders.shapes import DueBody, LeadBody


class ImportCalendar(OneEvent, frozen=True, kw_only=True):
    """An iCalendar text; over HTTP it may be the body itself, as `text/calendar`."""

    calendar: str


class ImportedBody(Reply, frozen=True, kw_only=True):
    """What becomes of one entry: it is `added`, `updated`, `unchanged`, or `refused` for a
    `reason`. `remarks` are what of it a task does not have."""

    uid: str
    title: str
    state: str
    reason: str
    task_id: UUID | None
    due: DueBody | None
    rule: str
    leads: list[LeadBody]
    remarks: list[str]


class ImportedAnswer(Reply, frozen=True, kw_only=True):
    """`left_out` are components that are neither events nor tasks."""

    name: str
    entries: list[ImportedBody]
    added: int
    updated: int
    unchanged: int
    refused: int
    left_out: int
