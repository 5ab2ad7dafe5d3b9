"""Webhooks: who is told what, signed by whom, and what happens when nobody listens."""

import re
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from notifications.adapters.sql_deliveries import SqlDeliveries
from notifications.adapters.sql_reports import SqlReports
from notifications.adapters.sql_webhooks import SqlWebhooks
from notifications.errors import DeliveryNotFound, TooManyWebhooks, WebhookNotFound
from notifications.reports.types import Report, ReportEvent
from notifications.webhooks.routes import operations
from notifications.webhooks.types import Answer, DeliveryState
from notifications.webhooks.webhooks import MOST
from tests.support.factories_notifications import AMINA, registration, server, user
from tests.support.providers import FakeProvider
from tests.support.sending import request
from tests.support.telling import BOTH, SERVER, events

ROOT = Path(__file__).parents[3]

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is refused or said before the database has a word in it."""


@pytest.fixture(scope="module")
def verified() -> Callable[..., bool]:
    """The sample of the documentation, run as it stands there."""
    page = (ROOT / "docs" / "webhooks.md").read_text()
    (sample,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(sample, names)
    found: Callable[..., bool] = names["verified"]
    return found


async def test_outcomes_and_reports_of_sends_are_told_once_each(house):
    await house.made()
    phone = await house.room.register(AMINA, registration())
    send = await house.room.sends.send(SERVER, request())
    await house.room.hand_on()
    provider = FakeProvider()
    await house.room.dispatcher(provider).step()
    push_id = provider.attempts[0].push_id
    report = Report(push_id, ReportEvent.OPENED, house.room.clock.now())
    await SqlReports(house.room.database).keep([report], now=house.room.clock.now())

    for _ in range(3):
        await house.sender.step()

    told = dict(events(each) for each in house.receiver.told)
    assert len(house.receiver.told) == 2
    (outcome,), (opened,) = told["push.outcomes"], told["push.reports"]
    assert (outcome["send_id"], outcome["push_id"]) == (str(send.id), str(push_id))
    assert (outcome["state"], outcome["user_id"], outcome["device_id"]) == (
        "accepted",
        "amina",
        str(phone.id),
    )
    assert (opened["event"], opened["push_id"]) == ("opened", str(push_id))


async def test_what_was_sent_before_anybody_asked_and_what_is_no_send_is_not_told(house):
    await house.room.register(AMINA, registration())
    await house.room.sends.send(SERVER, request())
    await house.room.hand_on()
    await house.made()
    await house.room.dispatcher(FakeProvider()).step()

    assert await house.sender.step() == 0
    assert house.receiver.told == []


@ON_SQLITE
async def test_the_documented_sample_verifies_what_comes(house, clock, verified):
    webhook, secret = await house.made()
    clock.move(seconds=time.time() - clock.now().timestamp())
    await house.webhooks.test(SERVER, webhook.id)
    await house.sender.step()

    headers, body = house.receiver.told[0]
    assert verified(secret, headers, body)
    assert not verified(secret, headers, body + b" ")
    assert not verified(f"whsec_{b64encode(b'x' * 32).decode()}", headers, body)
    assert not verified(secret, {**headers, "webhook-timestamp": "1"}, body)


@ON_SQLITE
async def test_while_a_secret_is_replaced_both_are_good_and_then_only_the_new_one(
    house, clock, verified
):
    webhook, old = await house.made()
    clock.move(seconds=time.time() - clock.now().timestamp())
    _, new = await house.webhooks.rotate(SERVER, webhook.id)
    await house.webhooks.test(SERVER, webhook.id)
    await house.sender.step()
    assert all(verified(each, *house.receiver.told[0]) for each in (old, new))

    clock.move(hours=25)
    await house.webhooks.test(SERVER, webhook.id)
    await house.sender.step()
    headers, _ = house.receiver.told[1]
    assert len(headers["webhook-signature"].split(" ")) == 1


async def test_who_does_not_answer_well_is_told_again_later_and_given_up_at_last(house, clock):
    webhook, _ = await house.made()
    house.receiver.status = 500
    await house.webhooks.test(SERVER, webhook.id)

    await house.sender.step()
    assert await house.sender.step() == 0
    assert await house.delivery_states(webhook) == [(DeliveryState.WAITING, 500)]
    clock.move(seconds=10)
    await house.sender.step()
    first, second = house.receiver.told
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]

    clock.move(hours=24)
    await house.sender.step()
    assert await house.delivery_states(webhook) == [(DeliveryState.FAILED, 500)]
    clock.move(hours=24)
    assert await house.sender.step() == 0

    house.receiver.status = 200
    page = await house.webhooks.deliveries(
        SERVER, webhook.id, state=DeliveryState.FAILED, cursor=None, limit=1
    )
    await house.webhooks.redeliver(SERVER, page.items[0].id)
    await house.sender.step()
    assert await house.delivery_states(webhook) == [(DeliveryState.DELIVERED, 200)]


@ON_SQLITE
@pytest.mark.parametrize(("status", "state"), [(410, "failed"), (302, "waiting")])
async def test_gone_is_final_and_nobody_is_followed_elsewhere(house, status, state):
    webhook, _ = await house.made()
    house.receiver.status, house.receiver.location = status, house.receiver.url
    await house.webhooks.test(SERVER, webhook.id)

    await house.sender.step()

    assert await house.delivery_states(webhook) == [(DeliveryState(state), status)]
    assert len(house.receiver.told) == 1


async def test_what_a_killed_worker_held_is_told_when_its_lease_ends(house, clock):
    webhook, _ = await house.made()
    await house.webhooks.test(SERVER, webhook.id)
    store = SqlDeliveries(house.room.database)
    assert len(await store.claim(now=clock.now(), lease=timedelta(seconds=60), limit=4)) == 1
    assert await house.sender.step() == 0

    clock.move(seconds=60)
    await house.sender.step()

    assert await house.delivery_states(webhook) == [(DeliveryState.DELIVERED, 204)]


async def test_whoever_is_paused_is_told_nothing_and_a_lost_holding_changes_nothing(house, clock):
    webhook, _ = await house.made()
    await house.webhooks.change(SERVER, webhook.id, enabled=False)
    await house.webhooks.test(SERVER, webhook.id)
    assert await house.sender.step() == 0

    await house.webhooks.change(SERVER, webhook.id, enabled=True)
    store = SqlDeliveries(house.room.database)
    (held,) = await store.claim(now=clock.now(), lease=timedelta(0), limit=4)
    await house.sender.step()

    lost = await store.settle(
        held,
        Answer(500),
        DeliveryState.FAILED,
        due_at=None,
        patience=timedelta(hours=1),
        now=clock.now(),
    )
    assert lost is None
    assert await house.delivery_states(webhook) == [(DeliveryState.DELIVERED, 204)]


@ON_SQLITE
async def test_a_webhook_leads_nowhere_private_unless_the_operator_says_so(house):
    for url in (
        "http://app.example/hook",
        "https://127.0.0.1/hook",
        "https://user@app.example/hook",
        "https://2130706433/hook",
        f"{house.receiver.origin}.evil.example/hook",
        "ftp://app.example",
    ):
        with pytest.raises(InvalidInput) as caught:
            await house.webhooks.create(SERVER, url, BOTH)
        assert caught.value.details["field"] == "url"

    webhook, _ = await house.webhooks.create(SERVER, "https://localhost:1/hook", BOTH)
    await house.webhooks.test(SERVER, webhook.id)
    await house.sender.step()
    page = await house.webhooks.deliveries(SERVER, webhook.id, state=None, cursor=None, limit=1)
    assert "private network" in page.items[0].error


async def test_secrets_lie_sealed_and_what_is_done_is_on_record(house):
    webhook, secret = await house.made()
    kept = (await SqlWebhooks(house.room.database).all())[0]

    assert secret not in f"{kept.secret}{kept}"
    await house.webhooks.rotate(SERVER, webhook.id)
    await house.webhooks.delete(SERVER, webhook.id)
    assert await house.room.deeds() == ["webhook.created", "webhook.deleted", "webhook.rotated"]


@ON_SQLITE
async def test_every_operation_asks_for_the_scope_of_pushes(house):
    webhook, _ = await house.made()
    one = {"webhook_id": str(webhook.id)}
    asked = {
        "webhooks.list": {},
        "webhooks.create": {"url": house.receiver.url},
        "webhooks.get": one,
        "webhooks.change": one,
        "webhooks.rotate": one,
        "webhooks.test": one,
        "webhooks.deliveries": one,
        "webhooks.redeliver": {"delivery_id": str(uuid4())},
        "webhooks.delete": one,
    }
    offered = {each.name: each for each in operations(house.webhooks)}
    assert offered.keys() == asked.keys()

    for name, operation in offered.items():
        body = msgspec.convert(asked[name], operation.takes)
        for who in (Principal(), user(AMINA), server(*(set(Scope) - {Scope.PUSHES}))):
            with pytest.raises(Denied):
                await operation.run(who, body)
    for name, body in asked.items():
        if name != "webhooks.redeliver":
            answer = await offered[name].run(SERVER, msgspec.convert(body, offered[name].takes))
            assert b"whsec" not in msgspec.json.encode(answer) or name in (
                "webhooks.create",
                "webhooks.rotate",
            )


@ON_SQLITE
async def test_what_is_not_there_is_not_found_and_there_is_an_end_to_how_many(house):
    with pytest.raises(WebhookNotFound):
        await house.webhooks.get(SERVER, uuid4())
    with pytest.raises(DeliveryNotFound):
        await house.webhooks.redeliver(SERVER, uuid4())
    for _ in range(MOST):
        await house.made()
    with pytest.raises(TooManyWebhooks):
        await house.made()
