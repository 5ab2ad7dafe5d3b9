"""Cards: messages of an event's conversation that are about one of its tasks. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.ids import UserId
from reminders.types import Task

SHOWN = 100
"""Cards of one task that are listed, the last ones."""


@dataclass(frozen=True, slots=True)
class Card:
    """Where in which conversation a task was spoken of."""

    conversation_id: UUID
    offset: int
    message_id: UUID
    event_id: UUID
    task_id: UUID
    user_id: UserId
    sent_at: datetime


def card_body(task: Task, text: str) -> bytes:
    """The body of the message: what it says, and the task that it is about."""
    about = {
        "kind": "task",
        "event_id": str(task.event_id),
        "task_id": str(task.id),
        "title": task.title,
    }
    return msgspec.json.encode({"text": text or task.title, "card": about})
