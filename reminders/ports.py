"""What reminders need from the outside. Guarantees here, mechanics in `adapters/`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from kernel.paging import Page
from reminders.action import Acted, Actionable
from reminders.budget import Ask
from reminders.event_saying import Around
from reminders.firing import (
    Coming,
    DueFiring,
    Firing,
    FiringClass,
    Judgement,
    Look,
    Outcome,
    Settled,
    Tally,
)
from reminders.guest import Guest, RemoveGuest
from reminders.handed import Handed
from reminders.person import Person, Ramadan
from reminders.quiet import Habits
from reminders.types import Event, Inputs, Member, Rule, Sheet, Task


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """A user leaves the event."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class DropRule:
    """A rule ends."""

    rule_id: UUID


@dataclass(frozen=True, slots=True)
class TakeBack:
    """What was told of a task or of an invitation, which stands in its place, or of the whole
    event, need not be shown any more: to nobody, or to one user, except on the device on which
    they saw to it.

    When it is `over`, what waits to be told does not go off either, not even when a scheduler
    has it in hand.
    """

    task_id: UUID | None = None
    user_id: UserId | None = None
    device_id: UUID | None = None
    over: bool = True
    together: bytes | None = None
    """Not what was told of a task by itself, but in one with the firing of this key."""


@dataclass(frozen=True, slots=True)
class OtherGuests:
    """Who else is invited to the part that a guest is, or may be, invited to."""

    guest: Guest


@dataclass(frozen=True, slots=True)
class OtherSnoozes:
    """Of which other tasks that are open a user asked to be told again, at a time to come."""

    user_id: UserId


Counted = OtherGuests | OtherSnoozes
"""What there may be only so much of: no more of it comes to be while a decision counts it."""

Change = (
    Event | Member | Task | Rule | Guest | RemoveMember | DropRule | RemoveGuest | TakeBack | Acted
)
"""A value to store in place of the one with its identity, what ends, or what was acted on."""

Decide = Callable[[Sheet], Sequence[Change]]
"""Looks at what is true now and says what shall change. Pure; refusing changes nothing."""


class CalendarStore(Protocol):
    """Events, tasks, rules and people. Every method is one whole transaction.

    Whatever can alter a plan marks the plans concerned in the same transaction.
    """

    async def create(self, event: Event, owner: Member | None) -> Event:
        """Store both; if the id is taken, write nothing and return the event that has it."""
        ...

    async def sheet(
        self, event_id: UUID, *, task_id: UUID | None = None, with_tasks: bool = False
    ) -> Sheet:
        """What is true about an event and, if named and there, one task of it. Raises
        `EventNotFound`."""
        ...

    async def change(
        self,
        event_id: UUID,
        decide: Decide,
        *,
        now: datetime,
        task_id: UUID | None = None,
        with_tasks: bool = False,
        counted: Counted | None = None,
    ) -> None:
        """Store what `decide` says about the sheet, alone with the event meanwhile, and with
        what is `counted` for it.

        What it raises undoes everything. Raises `EventNotFound`; `IdTaken` for a new task or
        rule whose id belongs to another; `ActedAlready` for an action whose id the user gave
        before; `NotInvited` for the answer of a guest who is not there. One who is there keeps
        their answer when they are invited again.
        """
        ...

    async def acted(self, user_id: UserId, action_id: UUID) -> Acted | None:
        """The user's action with this id, while it is remembered."""
        ...

    async def told_together(self, user_id: UserId, key: bytes) -> Sequence[Actionable]:
        """What a user was told in one with the firing of this key, the first of them."""
        ...

    async def forget_actions(self, *, before: datetime, limit: int) -> int:
        """Forget actions that were taken before an instant, and what was told together before
        it; how many, of each `limit` at most."""
        ...

    async def events_of(self, user_id: UserId, *, cursor: str | None, limit: int) -> Page[Event]:
        """The events a user is in, the one created last first."""
        ...

    async def tasks_of(
        self, event_id: UUID, *, cursor: str | None, limit: int, seen_by: UserId | None = None
    ) -> Page[Task]:
        """The event's tasks that are not deleted, in the order they were created; all, or those
        that a user sees."""
        ...

    async def person(self, user_id: UserId) -> Person | None: ...

    async def change_person(
        self, user_id: UserId, change: Callable[[Person | None], Person], *, now: datetime
    ) -> Person:
        """Store what `change` makes of the user's profile, alone with it meanwhile, and return
        it. What `change` raises undoes everything."""
        ...


class Almanac(Protocol):
    """What is known of days to come."""

    async def ramadans(self) -> Sequence[Ramadan]:
        """When Ramadan is, in the years that somebody knows of."""
        ...

    async def spread(self) -> timedelta:
        """Over how long policy spreads, as operators want it; 0 is as usual."""
        ...


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation wrote."""

    added: int = 0
    moved: int = 0
    removed: int = 0
    soonest: datetime | None = field(default=None, compare=False)
    """When the first of what was added or moved is due."""

    @property
    def writes(self) -> int:
        return self.added + self.moved + self.removed


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far behind the plans are: marks that wait, the age of the oldest, and for how many
    seconds from now the plan that ends first still reaches; None without plans."""

    marks: int
    oldest_age: float
    reach: float | None = None


class FiringStore(Protocol):
    """What shall go off, and what became of it. Every method is one whole transaction."""

    async def to_plan(
        self, *, top_up_before: datetime, limit: int, without: Collection[UUID]
    ) -> Sequence[UUID]:
        """Events whose plan is marked, the longest waiting first, but what was marked together
        with very many others after the rest; then those whose plan ends before `top_up_before`.
        None of those in `without`."""
        ...

    async def reconcile(
        self,
        event_ids: Collection[UUID],
        plan: Callable[[Inputs], Sequence[Firing]],
        *,
        since: datetime,
        until: datetime,
        now: datetime,
    ) -> Reconciled:
        """Make what waits equal to `plan` of what is true now for each of the events, and take
        their marks off. What `plan` raises for one undoes it for all.

        A firing that was settled before is not planned again, nor is a new one whose time
        came before `since`. The plans then reach `until`. Reconciling twice writes nothing
        the second time; a mark made meanwhile stays.
        """
        ...

    async def due_shards(self, look: Look) -> Mapping[int, datetime]:
        """The shards that have due firings, and since when the oldest of each is due."""
        ...

    async def fire_due(
        self,
        shard: int,
        judge: Callable[[DueFiring], Judgement],
        usual: Callable[[FiringClass, Habits], bool],
        *,
        look: Look,
        now: datetime,
        limit: int,
    ) -> Sequence[Tally]:
        """Let a shard's due firings go off, oldest first; how many came to which end.

        Each is taken by one caller only and settled once for ever: guarded by what is true
        now, removed, recorded, and if it goes off handed to the outbox, not to be said before
        it is due, in one transaction. A stale one is removed and its event's plan marked.
        Where `usual` says no to a class among users with such habits, `judge` says what becomes
        of what the guards let pass. One that cannot be read or judged, or that the database
        refuses, is recorded as dead with the reason, and its neighbours go off.
        """
        ...

    async def upcoming(self, user_id: UserId, *, cursor: str | None, limit: int) -> Coming:
        """The user's waiting firings, the next one first, but for those about tasks that are
        gone or that they do not see any more."""
        ...

    async def settled(self, task_id: UUID, user_id: UserId) -> Sequence[Settled]:
        """What became of the user's firings about a task, the last one first, and for each
        that went off which notices may have told it."""
        ...

    async def backlog(self, now: datetime) -> Backlog:
        """How many marks wait to be planned."""
        ...

    async def forget(self, *, before: date, limit: int) -> int:
        """Forget what became of firings about days before one, if that was before it as well;
        how many, `limit` at most."""
        ...


class SayingStore(Protocol):
    """What went off and is not said yet. Every method is one whole transaction."""

    async def handed(self, handed: Sequence[Handed]) -> Sequence[tuple[DueFiring, Outcome]]:
        """The firings with what is true about them now, and what is recorded of each; without
        those whose record is gone, and those that were left to a digest."""
        ...

    async def amend(
        self,
        judged: Sequence[tuple[DueFiring, Judgement]],
        *,
        together: Sequence[Sequence[Firing]] = (),
        now: datetime,
    ) -> None:
        """Record that something else became of firings, and which are told in one. What is
        stale or deferred is taken off the record, and its plan marked, so that it may go off at
        its time. What is for the digest is kept for it, once."""
        ...

    async def around(self, event_ids: Collection[UUID]) -> Mapping[UUID, Around]:
        """What is said of events beside their own days."""
        ...

    async def spend(self, asks: Sequence[Ask]) -> Collection[bytes]:
        """The keys of the pushes that get a place in their users' days. Asking again for what
        was granted costs nothing, and however many ask at once, no day has more than it may."""
        ...
