"""Values of reports."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class ReportEvent(StrEnum):
    """What became of a push on its device."""

    RECEIVED = "received"
    """The app, or an extension of it, was called with it."""
    SHOWN = "shown"
    OPENED = "opened"


@dataclass(frozen=True, slots=True)
class Report:
    """What a device says of a push, and when it was so."""

    push_id: UUID
    event: ReportEvent
    at: datetime
