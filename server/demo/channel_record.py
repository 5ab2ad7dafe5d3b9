"""What clients saw of one channel: who sent what, what became of it, who was told. Values."""

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import NamedTuple

from kernel.ids import UserId


class Sent(NamedTuple):
    """Something a client set out to send, under this idempotency key."""

    key: str
    sender: UserId
    text: str
    at: float = 0.0


class Acknowledged(NamedTuple):
    """What a sender was told. Being told twice is fine, being told two things is not."""

    key: str
    offset: int
    at: float = 0.0


class Delivery(NamedTuple):
    """A message as a reader was given it."""

    offset: int
    key: str
    sender: str
    text: str


class How(StrEnum):
    """How a message came to a reader."""

    LIVE = "live"
    RECOVERED = "recovered"
    HISTORY = "history"


class Heard(NamedTuple):
    """A message that came to a reader, and when."""

    delivery: Delivery
    at: float = 0.0
    how: How = How.LIVE


@dataclass(slots=True)
class Session:
    """One subscription on one connection, from its answer until it ended."""

    at: float = 0.0
    """When it was answered."""
    epoch: str = ""
    offset: int = 0
    """The position that the answer names."""
    since: int | None = None
    """The offset that the client wanted to go on from; None begins with what comes next."""
    recovered: bool = False
    heard: list[Heard] = field(default_factory=list)
    """In the order it came: what was recovered first, then what came live."""

    @property
    def begins_after(self) -> int:
        """The offset before the first one that must come."""
        return self.since if self.recovered and self.since is not None else self.offset

    @property
    def hole(self) -> range:
        """The offsets that the answer says are not recovered: history has them."""
        if self.recovered or self.since is None:
            return range(0)
        return range(self.since + 1, self.offset + 1)


@dataclass(slots=True)
class Reader:
    """Everything that one user was told of the channel, from one beginning on."""

    user: UserId
    sessions: list[Session] = field(default_factory=list)
    filled: list[Heard] = field(default_factory=list)
    """What was read from history where a subscription did not recover it."""
    stays: bool = True
    """Whether they follow the channel to the end, so that they must have all of it."""


class Membership(NamedTuple):
    """From when until when somebody may have been a member, as far as clients can know.

    It may begin when it is asked for, and must be over once its end is acknowledged.
    """

    begins: float = -inf
    ends: float = inf


@dataclass(slots=True)
class ChannelRecord:
    """One channel in one run. Sends and acknowledgements are in the order they happened."""

    sent: list[Sent] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Keys of what was refused for good; an earlier try of it may have been stored."""
    readers: list[Reader] = field(default_factory=list)
    log: list[Delivery] | None = None
    """The whole log, read when all was quiet; None where only acknowledgements tell of it."""
    memberships: dict[UserId, list[Membership]] | None = None
    """Those who are not here were never members; None where everybody is."""
