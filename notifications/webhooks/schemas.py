"""Bodies of the API of webhooks."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.notices import Urgency
from notifications.schemas import Category
from notifications.webhooks.types import DeliveryState, NewsKind, Origin

Url = Annotated[str, Meta(min_length=1, max_length=2048)]
Kinds = Annotated[list[NewsKind], Meta(min_length=1, max_length=2)]
Origins = Annotated[list[Origin], Meta(min_length=1, max_length=3)]
Urgencies = Annotated[list[Urgency], Meta(max_length=3)]
Categories = Annotated[list[Category], Meta(max_length=64)]


class CreateWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to tell what, and of which pushes: no `urgencies` or `categories` means any."""

    url: Url
    kinds: Kinds = msgspec.field(default_factory=lambda: [NewsKind.OUTCOMES, NewsKind.REPORTS])
    origins: Origins = msgspec.field(default_factory=lambda: [Origin.SEND])
    urgencies: Urgencies = []
    categories: Categories = []


class WebhookId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a webhook."""

    webhook_id: UUID


class ChangeWebhook(WebhookId, frozen=True, forbid_unknown_fields=True):
    """What changes; the rest stays."""

    url: Url | None = None
    kinds: Kinds | None = None
    enabled: bool | None = None
    origins: Origins | None = None
    urgencies: Urgencies | None = None
    categories: Categories | None = None


class WebhookBody(msgspec.Struct, frozen=True):
    """A webhook. `former_until`: until then the secret before this one signs as well.

    One that fails rests until `resting_until`; `disabled_reason` says why it was disabled, if
    nobody asked for that.
    """

    id: UUID
    url: str
    kinds: list[NewsKind]
    origins: list[Origin]
    urgencies: list[Urgency]
    categories: list[str]
    enabled: bool
    created_at: datetime
    former_until: datetime | None
    failing_since: datetime | None
    failures: int
    resting_until: datetime | None
    disabled_reason: str


class WebhookSecret(msgspec.Struct, frozen=True):
    """A webhook and, this once, the secret that signs what it is told."""

    webhook: WebhookBody
    secret: str


class AllWebhooks(msgspec.Struct, frozen=True):
    """Every webhook, oldest first."""

    webhooks: list[WebhookBody]


class ListDeliveries(WebhookId, frozen=True, forbid_unknown_fields=True):
    """Which deliveries of a webhook."""

    state: DeliveryState | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class DeliveryId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a delivery."""

    delivery_id: UUID


class DeliveryBody(msgspec.Struct, frozen=True):
    """What a webhook is told, and what came of the last try. `events` is what it gets."""

    id: UUID
    webhook_id: UUID
    kind: NewsKind
    state: DeliveryState
    attempts: int
    status: int
    error: str
    created_at: datetime
    due_at: datetime | None
    settled_at: datetime | None
    events: msgspec.Raw


class DeliveryPage(msgspec.Struct, frozen=True):
    """Deliveries, newest first; with a `cursor` there are more."""

    deliveries: list[DeliveryBody]
    cursor: str | None
