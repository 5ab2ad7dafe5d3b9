"""Webhooks and a server that is told things by them."""

from collections.abc import AsyncIterator

import pytest

from kernel.metrics import Metrics
from kernel.workers import Pulse
from notifications.adapters.sql_deliveries import SqlDeliveries
from notifications.adapters.sql_webhooks import SqlWebhooks
from notifications.adapters.webhook_poster import HttpPoster
from notifications.apps.sealing import KeyRing, make_key
from notifications.webhooks.sender import WebhookSender
from notifications.webhooks.webhooks import WebhookOptions, Webhooks
from tests.support.receivers import receiving
from tests.support.sending import SendingRoom
from tests.support.telling import House


@pytest.fixture
async def house(database, clock, metrics) -> AsyncIterator[House]:
    room = SendingRoom(database, clock, metrics)
    async with receiving() as receiver, receiving() as other:
        options = WebhookOptions(own_origins=(receiver.origin, other.origin))
        deliveries, ring, pulse = SqlDeliveries(database), KeyRing([make_key("k")]), Pulse()
        poster = HttpPoster(options)
        await poster.open()

        def sender() -> WebhookSender:
            return WebhookSender(
                store=deliveries,
                poster=poster,
                sealer=ring,
                clock=clock,
                metrics=Metrics(),
                pulse=pulse,
                options=options,
            )

        yield House(
            room,
            receiver,
            other,
            Webhooks(
                store=SqlWebhooks(database),
                deliveries=deliveries,
                sealer=ring,
                clock=clock,
                pulse=pulse,
                options=options,
            ),
            sender(),
            another_sender=sender,
        )
        await poster.close()
