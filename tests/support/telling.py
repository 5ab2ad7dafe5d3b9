"""A house of stores from which webhooks are told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from kernel.identity import Scope
from notifications.webhooks.sender import WebhookSender
from notifications.webhooks.types import SENDS, DeliveryState, NewsKind, Selection, Webhook
from notifications.webhooks.webhooks import Webhooks
from tests.support.factories_notifications import server
from tests.support.receivers import Receiver
from tests.support.sending import SendingRoom

SERVER = server(Scope.PUSHES)
BOTH = frozenset({NewsKind.OUTCOMES, NewsKind.REPORTS})


@dataclass
class House:
    """What webhooks need, on one database."""

    room: SendingRoom
    receiver: Receiver
    other: Receiver
    webhooks: Webhooks
    sender: WebhookSender
    another_sender: Callable[[], WebhookSender]

    async def made(
        self, kinds: frozenset[NewsKind] = BOTH, selection: Selection = SENDS
    ) -> tuple[Webhook, str]:
        return await self.webhooks.create(SERVER, self.receiver.url, kinds, selection)

    async def delivery_states(self, webhook: Webhook) -> list[tuple[DeliveryState, int]]:
        page = await self.webhooks.deliveries(SERVER, webhook.id, state=None, cursor=None, limit=50)
        return [(each.state, each.status) for each in page.items]


def events(told: tuple[dict[str, str], bytes]) -> tuple[str, list[dict[str, Any]]]:
    body = msgspec.json.decode(told[1])
    assert body["id"] == told[0]["webhook-id"]
    return body["kind"], body["events"]
