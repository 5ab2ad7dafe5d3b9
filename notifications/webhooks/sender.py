"""The worker that tells webhooks: gathers news, tries deliveries, waits longer and longer."""

import asyncio
import logging
from collections import defaultdict
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import msgspec

from kernel.backoff import Backoff
from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.metrics import Metrics
from kernel.workers import Pulse, Stop, rest
from notifications.webhooks.faring import GONE
from notifications.webhooks.ports import DeliveryStore, Poster, Sealer
from notifications.webhooks.signing import signed_headers
from notifications.webhooks.types import Answer, DeliveryState, HeldDelivery
from notifications.webhooks.webhooks import WebhookOptions, bound_to

log = logging.getLogger(__name__)

EVENTS = 500
"""Events gathered in one transaction."""

WAITS = Backoff(first=10.0, cap=3600.0, floor=5.0)

GATHER_SECONDS = 1.0
"""Rest between two looks for news, so that a trickle comes in few deliveries, not in many."""

_LEASE = timedelta(seconds=60)
_SELDOM = 60.0


class WebhookSender:
    """Each webhook at its own pace: one that is slow or dead holds up no other.

    Safe to run many times: each delivery has one holder. `pulse` beats for a test.
    """

    name = "webhooks"

    def __init__(
        self,
        *,
        store: DeliveryStore,
        poster: Poster,
        sealer: Sealer,
        clock: Clock,
        metrics: Metrics,
        pulse: Pulse,
        options: WebhookOptions,
    ) -> None:
        self._store = store
        self._poster = poster
        self._sealer = sealer
        self._clock = clock
        self._pulse = pulse
        self._options = options
        self._pruned_at = self._gathered_at = float("-inf")
        self._flying: dict[UUID, set[asyncio.Task[None]]] = defaultdict(set)
        self._tried = metrics.counter(
            "notifications_webhook_attempts_total", "Tries to tell webhooks.", ["outcome"]
        )
        self._disabled = metrics.counter(
            "notifications_webhooks_disabled_total", "Webhooks disabled because they failed."
        )

    async def run(self, stop: Stop) -> None:
        async with asyncio.TaskGroup() as group:
            try:
                while not stop.asked:
                    if await self._round(group) == 0:
                        await rest(1.0, clock=self._clock, stop=stop, pulse=self._pulse)
            finally:
                # Whatever ends the loop: what is being told is told to its end.
                flying = [each for some in self._flying.values() for each in some]
                if flying:
                    await asyncio.wait(flying)

    async def step(self) -> int:
        """One round, and all that it began; how much it was."""
        self._gathered_at = float("-inf")
        async with asyncio.TaskGroup() as group:
            return await self._round(group)

    async def _round(self, group: asyncio.TaskGroup) -> int:
        """Gather what is new and begin to tell what is due; how much it was."""
        gathered = await self._gather()
        now = self._clock.now()
        held = await self._store.claim(
            now=now,
            lease=_LEASE,
            limit=self._options.at_once,
            busy={webhook_id: len(some) for webhook_id, some in self._flying.items()},
        )
        for each in held:
            flight = group.create_task(self._deliver(each))
            self._flying[each.webhook.id].add(flight)
            flight.add_done_callback(partial(self._landed, each.webhook.id))
        if self._clock.monotonic() - self._pruned_at >= _SELDOM:
            self._pruned_at = self._clock.monotonic()
            await self._store.prune(
                now=now,
                before=now - timedelta(days=self._options.kept_days),
                over=now - timedelta(hours=self._options.give_up_hours),
                limit=EVENTS,
            )
        return gathered + len(held)

    async def _gather(self) -> int:
        now = self._clock.monotonic()
        if now - self._gathered_at < GATHER_SECONDS:
            return 0
        gathered = await self._store.gather(now=self._clock.now(), limit=EVENTS)
        if gathered < EVENTS:
            self._gathered_at = now
        return gathered

    async def _deliver(self, held: HeldDelivery) -> None:
        answer = await self._answer(held)
        now = self._clock.now()
        state, due_at = self._next(held, answer, now)
        fares = await self._store.settle(
            held,
            answer,
            state,
            due_at=due_at,
            patience=timedelta(hours=self._options.disable_after_hours),
            now=now,
        )
        self._tried.labels("lost" if fares is None else str(state)).inc()
        if fares is not None and not answer.is_good:
            log.warning(
                "webhook failed",
                extra={
                    "webhook_id": held.webhook.id,
                    "delivery_id": held.delivery.id,
                    "status": answer.status,
                    "error": answer.error,
                    "state": state,
                },
            )
        if fares is not None and fares.disabled_reason and not fares.enabled:
            self._disabled.inc()
            log.error(
                "webhook disabled",
                extra={"webhook_id": held.webhook.id, "reason": fares.disabled_reason},
            )

    def _landed(self, webhook_id: UUID, flight: asyncio.Task[None]) -> None:
        self._flying[webhook_id].discard(flight)
        # There is room for another.
        self._pulse.beat()

    async def _answer(self, held: HeldDelivery) -> Answer:
        webhook, delivery, now = held.webhook, held.delivery, self._clock.now()
        kept = [webhook.secret]
        if webhook.former_until is not None and now < webhook.former_until:
            kept.append(webhook.former_secret)
        try:
            secrets = [self._sealer.unwrapped(each, bound=bound_to(webhook.id)) for each in kept]
        except Refusal as sealed:
            return Answer(0, sealed.message)
        body = body_of(held)
        headers = signed_headers(secrets, delivery.id, body, now=now)
        return await self._poster.post(webhook.url, body, headers)

    def _next(
        self, held: HeldDelivery, answer: Answer, now: datetime
    ) -> tuple[DeliveryState, datetime | None]:
        if answer.is_good:
            return DeliveryState.DELIVERED, None
        due_at = now + timedelta(seconds=WAITS.delay(held.delivery.attempts))
        over = held.delivery.created_at + timedelta(hours=self._options.give_up_hours)
        if answer.status == GONE or due_at >= over:
            return DeliveryState.FAILED, None
        return DeliveryState.WAITING, due_at


def body_of(held: HeldDelivery) -> bytes:
    """What the other side gets: the same words at every try."""
    delivery = held.delivery
    return msgspec.json.encode(
        {
            "id": delivery.id,
            "kind": delivery.kind,
            "created_at": delivery.created_at,
            "events": msgspec.Raw(delivery.body.encode()),
        }
    )
