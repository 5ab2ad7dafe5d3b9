"""The worker that tells webhooks: gathers news, tries deliveries, waits longer and longer."""

import asyncio
import logging
from datetime import datetime, timedelta

import msgspec

from kernel.backoff import Backoff
from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.metrics import Metrics
from kernel.workers import Pulse, Stop, repeat
from notifications.webhooks.ports import DeliveryStore, Poster, Sealer
from notifications.webhooks.signing import signed_headers
from notifications.webhooks.types import Answer, DeliveryState, HeldDelivery
from notifications.webhooks.webhooks import WebhookOptions, bound_to

log = logging.getLogger(__name__)

EVENTS = 500
"""Events gathered in one transaction."""

WAITS = Backoff(first=10.0, cap=3600.0, floor=5.0)

GONE = 410
"""The answer of who wants to hear nothing more of this."""

_LEASE = timedelta(seconds=60)
_SELDOM = 60.0


class WebhookSender:
    """Safe to run many times: each delivery has one holder. `pulse` beats for a test."""

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
        self._pruned_at = float("-inf")
        self._tried = metrics.counter(
            "notifications_webhook_attempts_total", "Tries to tell webhooks.", ["outcome"]
        )

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=1.0, pulse=self._pulse)

    async def step(self) -> int:
        """Gather what is new and try what is due; how much it was."""
        now = self._clock.now()
        gathered = await self._store.gather(now=now, limit=EVENTS)
        held = await self._store.claim(now=now, lease=_LEASE, limit=self._options.at_once)
        async with asyncio.TaskGroup() as group:
            for each in held:
                group.create_task(self._deliver(each))
        if self._clock.monotonic() - self._pruned_at >= _SELDOM:
            self._pruned_at = self._clock.monotonic()
            kept = timedelta(days=self._options.kept_days)
            await self._store.prune(before=now - kept, limit=EVENTS)
        return gathered + len(held)

    async def _deliver(self, held: HeldDelivery) -> None:
        answer = await self._answer(held)
        now = self._clock.now()
        state, due_at = self._next(held, answer, now)
        settled = await self._store.settle(held, answer, state, due_at=due_at, now=now)
        outcome = str(state) if settled else "lost"
        self._tried.labels(outcome).inc()
        if settled and not answer.is_good:
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
