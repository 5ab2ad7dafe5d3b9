"""Webhooks, wired."""

from kernel.workers import Pulse
from notifications.adapters.sql_deliveries import SqlDeliveries
from notifications.adapters.sql_webhooks import SqlWebhooks
from notifications.adapters.webhook_poster import HttpPoster
from notifications.apps.sealing import KeyRing
from notifications.webhooks import routes
from notifications.webhooks.sender import WebhookSender
from notifications.webhooks.webhooks import Webhooks
from server.wiring.ground import Ground


class Telling:
    """Webhooks, on any role."""

    def __init__(self, ground: Ground, *, ring: KeyRing) -> None:
        self._ground = ground
        self._ring = ring
        self._pulse = Pulse()
        """Beats when somebody wants to be told at once."""
        self._deliveries = SqlDeliveries(ground.database)
        self.webhooks = Webhooks(
            store=SqlWebhooks(ground.database),
            deliveries=self._deliveries,
            sealer=ring,
            clock=ground.clock,
            pulse=self._pulse,
            options=ground.settings.webhooks,
        )
        ground.operations += routes.operations(self.webhooks)

    def relay(self) -> None:
        """What became of pushes is told."""
        ground = self._ground
        poster = HttpPoster(ground.settings.webhooks)
        ground.parts.append(poster)
        ground.workers.append(
            WebhookSender(
                store=self._deliveries,
                poster=poster,
                sealer=self._ring,
                clock=ground.clock,
                metrics=ground.metrics,
                pulse=self._pulse,
                options=ground.settings.webhooks,
            )
        )
