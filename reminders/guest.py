"""Guests: who is invited to a part of an event, and what they answered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from kernel.ids import UserId

ASKED = 2
"""So often a guest who has not answered is asked, and never more, whatever moves."""

EVERYWHERE = UUID(int=0)
"""In place of an event: a user who opted out of every host's questions."""


class Answer(StrEnum):
    """What a guest said. `invited` is nothing yet."""

    INVITED = "invited"
    YES = "yes"
    NO = "no"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Guest:
    """A user who is invited to a part of an event. They need not be a member.

    `told` is how often they were asked already.
    """

    id: UUID
    event_id: UUID
    user_id: UserId
    part: str
    invited_at: datetime
    answer: Answer = Answer.INVITED
    answered_at: datetime | None = None
    told: int = 0


@dataclass(frozen=True, slots=True)
class Invitation:
    """A guest, and whether they asked to be asked no more: in this event, or in any."""

    guest: Guest
    opted_out: bool


@dataclass(frozen=True, slots=True)
class RemoveGuest:
    """An invitation ends."""

    guest_id: UUID


def guest_id(event_id: UUID, user_id: UserId, part: str) -> UUID:
    """One user is invited to one part once."""
    return uuid5(event_id, f"guest:{part}:{user_id}")
