"""Webhooks: who is told, and what came of telling them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import new_id
from kernel.notices import Urgency
from kernel.options import option
from kernel.paging import Page, cursor_of, id_in
from kernel.workers import Pulse
from notifications.audit.types import deed_of
from notifications.endpoints import is_trusted, origin_of
from notifications.errors import DeliveryNotFound, TooManyWebhooks, WebhookNotFound
from notifications.webhooks.faring import well
from notifications.webhooks.ports import DeliveryStore, Sealer, WebhookStore
from notifications.webhooks.signing import make_secret
from notifications.webhooks.types import (
    SENDS,
    Delivery,
    DeliveryState,
    NewsKind,
    Origin,
    Selection,
    Webhook,
)

MOST = 20
"""Webhooks at once, at most."""


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """How webhooks are told."""

    own_origins: tuple[str, ...] = option(
        (), "Origins of your own that may be in a private network or without TLS."
    )
    ca_file: str = option("", "Certificates to trust instead of the system's.")
    deadline: float = option(10.0, "Seconds until an answer is given up.")
    at_once: int = option(4, "Deliveries to one webhook at the same time.")
    give_up_hours: float = option(24.0, "For how long a delivery is tried.")
    disable_after_hours: float = option(
        72.0, "A webhook that has failed for so long without a break is disabled."
    )
    former_hours: float = option(
        24.0, "For how long a secret that was replaced is still used beside the new one."
    )
    kept_days: int = option(7, "Deliveries are kept so long, to be looked at.")

    def __post_init__(self) -> None:
        for name in (
            "deadline",
            "at_once",
            "give_up_hours",
            "disable_after_hours",
            "former_hours",
            "kept_days",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        for origin in self.own_origins:
            if not origin.startswith(("https://", "http://")):
                raise ValueError("own_origins must be http or https origins")


class Webhooks:
    """What servers may do with webhooks. `pulse` wakes the worker."""

    def __init__(
        self,
        *,
        store: WebhookStore,
        deliveries: DeliveryStore,
        sealer: Sealer,
        clock: Clock,
        pulse: Pulse,
        options: WebhookOptions,
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._sealer = sealer
        self._clock = clock
        self._pulse = pulse
        self._options = options

    async def create(
        self,
        principal: Principal,
        url: str,
        kinds: frozenset[NewsKind],
        selection: Selection = SENDS,
    ) -> tuple[Webhook, str]:
        """A new webhook and, this once, its secret."""
        principal.require(Scope.PUSHES)
        self._check(url, kinds, selection)
        if len(await self._store.all()) >= MOST:
            raise TooManyWebhooks(f"There may be {MOST} webhooks at most.", limit=MOST)
        now, secret = self._clock.now(), make_secret()
        webhook_id = new_id(now)
        webhook = Webhook(
            id=webhook_id,
            url=url,
            kinds=kinds,
            secret=self._sealer.wrapped(secret, bound=bound_to(webhook_id)),
            created_at=now,
            selection=selection,
        )
        await self._put(principal, webhook, "created")
        return webhook, secret

    async def change(
        self,
        principal: Principal,
        webhook_id: UUID,
        *,
        url: str | None = None,
        kinds: frozenset[NewsKind] | None = None,
        enabled: bool | None = None,
        origins: frozenset[Origin] | None = None,
        urgencies: frozenset[Urgency] | None = None,
        categories: frozenset[str] | None = None,
    ) -> Webhook:
        """Change what is given; the rest stays. Enabling it makes its failures forgotten."""
        webhook = await self.get(principal, webhook_id)
        if enabled:
            webhook = replace(well(webhook), disabled_reason="")
        chosen = webhook.selection
        changed = replace(
            webhook,
            url=webhook.url if url is None else url,
            kinds=webhook.kinds if kinds is None else kinds,
            enabled=webhook.enabled if enabled is None else enabled,
            selection=Selection(
                origins=chosen.origins if origins is None else origins,
                urgencies=chosen.urgencies if urgencies is None else urgencies,
                categories=chosen.categories if categories is None else categories,
            ),
        )
        self._check(changed.url, changed.kinds, changed.selection)
        await self._put(principal, changed, "changed")
        return changed

    async def rotate(self, principal: Principal, webhook_id: UUID) -> tuple[Webhook, str]:
        """Give a webhook a new secret; for a while both sign, so that none is refused."""
        webhook = await self.get(principal, webhook_id)
        secret = make_secret()
        hours = timedelta(hours=self._options.former_hours)
        changed = replace(
            webhook,
            secret=self._sealer.wrapped(secret, bound=bound_to(webhook_id)),
            former_secret=webhook.secret,
            former_until=self._clock.now() + hours,
        )
        await self._put(principal, changed, "rotated")
        return changed, secret

    async def reseal(self, principal: Principal) -> int:
        """Seal every secret with the key that seals now; how many webhooks had another."""
        principal.require(Scope.OPERATE)
        changed = 0
        for webhook in await self._store.all():
            bound = bound_to(webhook.id)
            former = webhook.former_secret
            sealed = replace(
                webhook,
                secret=self._sealer.rewrapped(webhook.secret, bound=bound),
                former_secret=former and self._sealer.rewrapped(former, bound=bound),
            )
            if sealed != webhook:
                await self._put(principal, sealed, "resealed")
                changed += 1
        return changed

    async def get(self, principal: Principal, webhook_id: UUID) -> Webhook:
        principal.require(Scope.PUSHES)
        found = await self._store.get(webhook_id)
        if found is None:
            raise WebhookNotFound("There is no such webhook.")
        return found

    async def all(self, principal: Principal) -> Sequence[Webhook]:
        """Every webhook, oldest first."""
        principal.require(Scope.PUSHES)
        return await self._store.all()

    async def delete(self, principal: Principal, webhook_id: UUID) -> None:
        """Tell it nothing more, and forget what it was told."""
        principal.require(Scope.PUSHES)
        deed = deed_of(principal, "webhook.deleted", f"webhook:{webhook_id}")
        if not await self._store.delete(webhook_id, now=self._clock.now(), deed=deed):
            raise WebhookNotFound("There is no such webhook.")

    async def test(self, principal: Principal, webhook_id: UUID) -> Delivery:
        """Send it something that means nothing, to see whether it arrives."""
        await self.get(principal, webhook_id)
        now = self._clock.now()
        delivery = Delivery(
            id=new_id(now),
            webhook_id=webhook_id,
            kind=NewsKind.TEST,
            body=msgspec.json.encode([{"at": now}]).decode(),
            created_at=now,
            state=DeliveryState.WAITING,
            attempts=0,
            due_at=now,
            status=0,
            error="",
            settled_at=None,
        )
        await self._deliveries.add(delivery)
        self._pulse.beat()
        return delivery

    async def deliveries(
        self,
        principal: Principal,
        webhook_id: UUID,
        *,
        state: DeliveryState | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Delivery]:
        """What it was told, the newest first."""
        await self.get(principal, webhook_id)
        before = None if cursor is None else id_in(cursor)
        found = await self._deliveries.page(webhook_id, state=state, before=before, limit=limit + 1)
        more = len(found) > limit
        return Page(found[:limit], cursor_of(str(found[limit - 1].id)) if more else None)

    async def redeliver(self, principal: Principal, delivery_id: UUID) -> Delivery:
        """Try a delivery once more, at once."""
        principal.require(Scope.PUSHES)
        deed = deed_of(principal, "delivery.repeated", f"delivery:{delivery_id}")
        found = await self._deliveries.again(delivery_id, now=self._clock.now(), deed=deed)
        if found is None:
            raise DeliveryNotFound("There is no such delivery, or it was pruned long ago.")
        self._pulse.beat()
        return found

    def _check(self, url: str, kinds: frozenset[NewsKind], selection: Selection) -> None:
        if not is_trusted(url, self._options.own_origins):
            origin_of(url, field="url")
        if not kinds or NewsKind.TEST in kinds:
            raise InvalidInput("kinds", "must hold push.outcomes, push.reports, or both")
        if not selection.origins:
            raise InvalidInput("origins", "must hold send, campaign or notice")

    async def _put(self, principal: Principal, webhook: Webhook, done: str) -> None:
        deed = deed_of(
            principal, f"webhook.{done}", f"webhook:{webhook.id}", enabled=webhook.enabled
        )
        await self._store.put(webhook, now=self._clock.now(), deed=deed)


def bound_to(webhook_id: UUID) -> str:
    """What a sealed secret is bound to, so that it cannot be passed off as another's."""
    return f"zaffa webhook {webhook_id}"
