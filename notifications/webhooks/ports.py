"""What webhooks need from the outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from notifications.audit.types import Deed
from notifications.webhooks.types import Answer, Delivery, DeliveryState, HeldDelivery, Webhook


class WebhookStore(Protocol):
    """Who is told. Every method is one whole transaction."""

    async def put(self, webhook: Webhook, *, now: datetime, deed: Deed) -> None:
        """Keep a webhook as it is now, new or not."""
        ...

    async def get(self, webhook_id: UUID) -> Webhook | None: ...

    async def all(self) -> Sequence[Webhook]:
        """Every webhook, oldest first."""
        ...

    async def delete(self, webhook_id: UUID, *, now: datetime, deed: Deed) -> bool:
        """Forget a webhook and its deliveries; whether there was one."""
        ...


class DeliveryStore(Protocol):
    """The outbox of webhooks. Every method is one whole transaction."""

    async def gather(self, *, now: datetime, limit: int) -> int:
        """Make deliveries of what nobody was told yet; how many events of the kind that had most.

        The events are marked as told in the same transaction, so each is in one delivery
        for each webhook that wants to hear of its push, and reports are in none that is
        gathered before the outcome. With `limit` there may be more.
        """
        ...

    async def add(self, delivery: Delivery) -> None: ...

    async def claim(
        self,
        *,
        now: datetime,
        lease: timedelta,
        limit: int,
        busy: Mapping[UUID, int] = MappingProxyType({}),
    ) -> Sequence[HeldDelivery]:
        """Take deliveries that are due, the oldest first: of each webhook at most `limit`, less
        those with which it is `busy`; of one that fails a single one, and none while it rests.
        Reports wait until whatever was gathered before them is told, or was tried often.

        No other worker gets them until `now + lease`.
        """
        ...

    async def settle(
        self,
        held: HeldDelivery,
        answer: Answer,
        state: DeliveryState,
        *,
        due_at: datetime | None,
        patience: timedelta,
        now: datetime,
    ) -> Webhook | None:
        """Record a try and what becomes of the delivery; the webhook as it fares now, or None
        if the holding was lost.

        The webhook rests after a failure, and is disabled once it has failed for as long as
        `patience`; that is recorded as a deed of the system's.
        """
        ...

    async def page(
        self, webhook_id: UUID, *, state: DeliveryState | None, before: UUID | None, limit: int
    ) -> Sequence[Delivery]:
        """Deliveries of a webhook, the newest first, from the one before `before` on."""
        ...

    async def again(self, delivery_id: UUID, *, now: datetime, deed: Deed) -> Delivery | None:
        """Let a delivery be tried once more, at once; None if there is none."""
        ...

    async def prune(self, *, now: datetime, before: datetime, over: datetime, limit: int) -> int:
        """Delete deliveries from `before` that have ended; how many.

        Those from before `over` whose turn never came, as their webhook rests or is disabled,
        end as failed.
        """
        ...


class Poster(Protocol):
    """Speaks to a webhook. One call is one try, and never raises for what the other side did."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer: ...


class Sealer(Protocol):
    """Seals what must not lie in the database as it is. Raises `Refusal` when it cannot."""

    def wrapped(self, secret: str, *, bound: str) -> str: ...

    def unwrapped(self, kept: str, *, bound: str) -> str: ...

    def rewrapped(self, kept: str, *, bound: str) -> str:
        """The same under the key that seals now; as it is, if it is under it already."""
        ...
