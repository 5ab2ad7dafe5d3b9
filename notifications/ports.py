"""What notifications need from the outside. Guarantees here, mechanics in `adapters/`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.pushes import (
    Claim,
    HeldPush,
    Notification,
    Push,
    PushRecord,
    Settlement,
)
from notifications.types import (
    DEFAULT_APP,
    AddressKind,
    Attempt,
    Device,
    Environment,
    Outcome,
    Registration,
    Route,
    TokenFault,
)
from notifications.vitals import Vitals

Landed = Callable[[int, Outcome], None]
"""Hears what became of one attempt of a call, by its place among them."""


def unheard(_number: int, _outcome: Outcome) -> None:
    """For whoever waits for the whole call."""


class PushProvider(Protocol):
    """Carries pushes to devices: FCM, APNs.

    One call is one attempt per push: no retry inside, no sleep, an answer within the
    deadline. It never raises for what a provider, the network or a peer did.
    """

    @property
    def name(self) -> str:
        """ "fcm", "apns": for metrics and logs."""
        ...

    @property
    def carries(self) -> frozenset[AddressKind]: ...

    @property
    def vitals(self) -> Vitals:
        """How its connections are now."""
        ...

    async def open(self) -> None:
        """Get ready to send; does not need the provider to be reachable."""
        ...

    async def close(self) -> None: ...

    async def send(
        self, attempts: Sequence[Attempt], *, landed: Landed = unheard
    ) -> Sequence[Outcome]:
        """Send all of them, as many at once as the provider lets us; outcomes in order.

        `landed` hears of each once, as soon as it is known, whatever the others wait for.
        May be called again while earlier calls are still under way.
        """
        ...


ACCEPTED_WITHIN = timedelta(days=1)
"""How exactly is known when a device last took a push."""


class DeviceStore(Protocol):
    """Who is reached where. Every method is one whole transaction."""

    async def register(
        self, user_id: UserId, registration: Registration, *, now: datetime, limit: int
    ) -> Device:
        """Make this installation's one device exactly what `registration` says, for this user.

        An address and an installation each belong to one device: whoever had them loses
        them. The generation rises and the device is enabled again. Beyond `limit` devices,
        those that were confirmed longest ago go. Raises `AppNotFound` for an app that is
        not there.
        """
        ...

    async def forget(self, device_id: UUID, *, owner: UserId | None) -> bool:
        """Delete a device, only if it is the owner's when one is named; whether there was one."""
        ...

    async def of_users(self, user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[Device]]:
        """The devices of each user, disabled ones too, the one confirmed last first."""
        ...

    async def disable(self, faults: Sequence[TokenFault], *, now: datetime) -> int:
        """Stop sending to the addresses at fault; how many were enabled until now.

        An address that has been registered again since (another generation, or confirmed
        after `invalid_since`) stays enabled.
        """
        ...

    async def accepted(self, device_ids: Sequence[UUID], *, now: datetime) -> None:
        """Remember, to within a day, that a provider took a push for them."""
        ...

    async def found(self, device_id: UUID, *, generation: int, environment: Environment) -> None:
        """An address belongs to this environment, whatever its app said of it."""
        ...

    async def purge(
        self, *, disabled_before: datetime, confirmed_before: datetime, limit: int
    ) -> int:
        """Delete devices disabled or last confirmed before those instants; how many."""
        ...


class PushStore(Protocol):
    """The truth about every push. Every method is one whole transaction."""

    async def plan(self, notifications: Sequence[Notification], pushes: Sequence[Push]) -> int:
        """Store notifications that are not there yet, with their pushes; how many pushes.

        Whatever is given for a notification that exists already is ignored.
        """
        ...

    async def waiting(
        self, *, now: datetime, app_ids: Sequence[str] = (DEFAULT_APP,)
    ) -> Collection[tuple[str, Route, Urgency]]:
        """The lanes of these apps that have pushes to be claimed, or those of a campaign that
        does not run."""
        ...

    async def claim(
        self,
        route: Route,
        urgency: Urgency,
        *,
        now: datetime,
        lease: timedelta,
        limit: int,
        app_id: str = DEFAULT_APP,
    ) -> Claim:
        """Take an app's pushes that are due, oldest first, and write down that they are sent.

        No other dispatcher gets them until `now + lease`. Each goes to the address its
        device has now; one whose device is gone, disabled, on another route, of another app
        or somebody else's by now is suppressed, and so is one that its user does not want by
        now; one that must wait for the end of quiet hours is due then. Those of campaigns that
        do not run stay where they are.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> frozenset[UUID]:
        """Record attempts and what became of their pushes; the ids of those it did.

        A push that this holding has lost is left alone.
        """
        ...

    async def reclaim(self, *, now: datetime, lease: timedelta, limit: int) -> Sequence[HeldPush]:
        """Take pushes whose lease ended unsettled: nobody knows whether they were sent."""
        ...

    async def expire(self, *, now: datetime, limit: int) -> int:
        """End waiting pushes that no longer matter; how many."""
        ...


class SharedRates(Protocol):
    """How fast each app's routes may be fed by all dispatchers together.

    It never raises and never waits long, whatever became of those it asks.
    """

    async def take(
        self, route: Route, wanted: int, *, urgency: Urgency, app_id: str = DEFAULT_APP
    ) -> int:
        """How many of `wanted` pushes may be sent now."""
        ...

    def give_back(self, route: Route, unused: int, *, app_id: str = DEFAULT_APP) -> None:
        """Return what was taken and not used."""
        ...

    async def complained(
        self, route: Route, *, retry_after: float, app_id: str = DEFAULT_APP
    ) -> None:
        """The provider said "too much": everybody pauses, then goes on at half the rate."""
        ...


class PushLedger(Protocol):
    """What operators ask about pushes. Every method is one whole transaction."""

    async def notification(
        self, either_id: UUID
    ) -> tuple[Notification, Sequence[PushRecord]] | None:
        """A notification with its pushes and attempts, by its own id or that of a push."""
        ...

    async def marketed(
        self, user_id: UserId, category: str, *, since: datetime
    ) -> Mapping[UUID, datetime]:
        """What marketing of a category a user was told since then: the notifications, and when."""
        ...

    async def ages(self, *, now: datetime) -> Mapping[tuple[str, Route, Urgency], float]:
        """For how many seconds the oldest due push of each app's lane has been waiting."""
        ...

    async def prune(self, *, before: datetime, campaigns_before: datetime, limit: int) -> int:
        """Delete old notifications whose pushes are all settled, and those; how many.

        What belongs to a campaign is kept until `campaigns_before`, for its counts.
        """
        ...
