"""What can be asked of webhooks."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import msgspec

from kernel.errors import Denied, InvalidInput, Refusal
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Nothing, Operation
from notifications.apps.errors import NoSealingKey
from notifications.errors import DeliveryNotFound, TooManyWebhooks, WebhookNotFound
from notifications.webhooks import schemas
from notifications.webhooks.types import Delivery, Selection, Webhook
from notifications.webhooks.webhooks import Webhooks

_ROOT = "/admin/v1/webhooks"
_Word = TypeVar("_Word")
_ONE = f"{_ROOT}/{{webhook_id}}"


def operations(webhooks: Webhooks) -> list[AnyOperation]:
    """What the application's servers may ask."""

    async def every(principal: Principal, _: Nothing) -> schemas.AllWebhooks:
        return schemas.AllWebhooks([_webhook(each) for each in await webhooks.all(principal)])

    async def create(principal: Principal, body: schemas.CreateWebhook) -> schemas.WebhookSecret:
        selection = Selection(
            origins=frozenset(body.origins),
            urgencies=frozenset(body.urgencies),
            categories=frozenset(body.categories),
        )
        made, secret = await webhooks.create(principal, body.url, frozenset(body.kinds), selection)
        return schemas.WebhookSecret(_webhook(made), secret)

    async def get(principal: Principal, body: schemas.WebhookId) -> schemas.WebhookBody:
        return _webhook(await webhooks.get(principal, body.webhook_id))

    async def change(principal: Principal, body: schemas.ChangeWebhook) -> schemas.WebhookBody:
        changed = await webhooks.change(
            principal,
            body.webhook_id,
            url=body.url,
            kinds=_set(body.kinds),
            enabled=body.enabled,
            origins=_set(body.origins),
            urgencies=_set(body.urgencies),
            categories=_set(body.categories),
        )
        return _webhook(changed)

    async def delete(principal: Principal, body: schemas.WebhookId) -> Nothing:
        await webhooks.delete(principal, body.webhook_id)
        return Nothing()

    async def rotate(principal: Principal, body: schemas.WebhookId) -> schemas.WebhookSecret:
        changed, secret = await webhooks.rotate(principal, body.webhook_id)
        return schemas.WebhookSecret(_webhook(changed), secret)

    async def test(principal: Principal, body: schemas.WebhookId) -> schemas.DeliveryBody:
        return _delivery(await webhooks.test(principal, body.webhook_id))

    async def deliveries(
        principal: Principal, body: schemas.ListDeliveries
    ) -> schemas.DeliveryPage:
        page = await webhooks.deliveries(
            principal, body.webhook_id, state=body.state, cursor=body.cursor, limit=body.limit
        )
        return schemas.DeliveryPage([_delivery(each) for each in page.items], page.cursor)

    async def redeliver(principal: Principal, body: schemas.DeliveryId) -> schemas.DeliveryBody:
        return _delivery(await webhooks.redeliver(principal, body.delivery_id))

    return [
        _operation("list", "GET", _ROOT, "List the webhooks.", every, Nothing, schemas.AllWebhooks),
        _operation(
            "create", "POST", _ROOT, "Have a server told what becomes of pushes.",
            create, schemas.CreateWebhook, schemas.WebhookSecret,
            NoSealingKey, TooManyWebhooks,
        ),
        _operation(
            "get", "GET", _ONE, "See a webhook.",
            get, schemas.WebhookId, schemas.WebhookBody, WebhookNotFound,
        ),
        _operation(
            "change", "PATCH", _ONE, "Change a webhook, pause it, or enable it again.",
            change, schemas.ChangeWebhook, schemas.WebhookBody, WebhookNotFound,
        ),
        _operation(
            "delete", "DELETE", _ONE, "Tell a webhook nothing more.",
            delete, schemas.WebhookId, Nothing, WebhookNotFound,
        ),
        _operation(
            "rotate", "POST", f"{_ONE}/rotate",
            "Give a webhook a new secret; for a while the former one signs as well.",
            rotate, schemas.WebhookId, schemas.WebhookSecret, WebhookNotFound, NoSealingKey,
        ),
        _operation(
            "test", "POST", f"{_ONE}/test", "Send a webhook something that means nothing.",
            test, schemas.WebhookId, schemas.DeliveryBody, WebhookNotFound,
        ),
        _operation(
            "deliveries", "GET", f"{_ONE}/deliveries", "See what a webhook was told.",
            deliveries, schemas.ListDeliveries, schemas.DeliveryPage, WebhookNotFound,
        ),
        _operation(
            "redeliver", "POST", "/admin/v1/deliveries/{delivery_id}/redeliver",
            "Tell a webhook the same again.",
            redeliver, schemas.DeliveryId, schemas.DeliveryBody, DeliveryNotFound,
        ),
    ]  # fmt: skip


def _operation(
    verb: str,
    method: Literal["GET", "POST", "PATCH", "DELETE"],
    path: str,
    summary: str,
    run: Callable[[Principal, Any], Awaitable[Any]],
    takes: type[msgspec.Struct],
    gives: type[msgspec.Struct],
    *refusals: type[Refusal],
) -> AnyOperation:
    return Operation(
        name=f"webhooks.{verb}",
        method=method,
        path=path,
        summary=summary,
        takes=takes,
        gives=gives,
        run=run,
        scope=Scope.PUSHES,
        status=201 if verb == "create" else 200,
        refusals=(*refusals, InvalidInput, Denied),
    )


def _set(words: list[_Word] | None) -> frozenset[_Word] | None:
    return None if words is None else frozenset(words)


def _webhook(webhook: Webhook) -> schemas.WebhookBody:
    selection = webhook.selection
    return schemas.WebhookBody(
        id=webhook.id,
        url=webhook.url,
        kinds=sorted(webhook.kinds),
        origins=sorted(selection.origins),
        urgencies=sorted(selection.urgencies),
        categories=sorted(selection.categories),
        enabled=webhook.enabled,
        created_at=webhook.created_at,
        former_until=webhook.former_until,
        failing_since=webhook.failing_since,
        failures=webhook.failures,
        resting_until=webhook.resting_until,
        disabled_reason=webhook.disabled_reason,
    )


def _delivery(delivery: Delivery) -> schemas.DeliveryBody:
    told = {
        name: getattr(delivery, name)
        for name in schemas.DeliveryBody.__struct_fields__
        if name != "events"
    }
    return schemas.DeliveryBody(**told, events=msgspec.Raw(delivery.body.encode()))
