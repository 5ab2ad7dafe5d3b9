"""Webhooks that fail: they rest, are disabled at last, and hold up nobody else."""

import asyncio
from datetime import timedelta

import pytest

from kernel.workers import Stop
from notifications.webhooks.faring import RESTS, after_failure, well
from notifications.webhooks.types import Answer, DeliveryState
from notifications.webhooks.webhooks import WebhookOptions
from tests.support.telling import SERVER, House

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FAILED = Answer(503)
PATIENCE = timedelta(hours=72)


async def webhook_of(house: House, webhook_id):
    return await house.webhooks.get(SERVER, webhook_id)


@ON_SQLITE
async def test_each_rest_is_twice_the_last_up_to_the_longest(house, clock):
    webhook, _ = await house.made()
    rests = []
    for _ in range(12):
        now = clock.now()
        webhook = after_failure(webhook, FAILED, now=now, patience=PATIENCE)
        rests.append((webhook.resting_until - now).total_seconds())
        clock.move(seconds=rests[-1])

    assert rests[:4] == [5.0, 10.0, 20.0, 40.0]
    assert rests[-1] == RESTS[1]
    assert well(webhook).failures == 0


@ON_SQLITE
async def test_tries_that_were_under_way_do_not_make_a_rest_longer(house, clock):
    webhook, _ = await house.made()
    first = after_failure(webhook, FAILED, now=clock.now(), patience=PATIENCE)

    assert after_failure(first, FAILED, now=clock.now(), patience=PATIENCE) == first


async def test_a_webhook_that_fails_is_tried_once_a_rest_and_at_full_speed_when_it_is_well(
    house, clock
):
    webhook, _ = await house.made()
    house.receiver.status = 503
    for _ in range(3):
        await house.webhooks.test(SERVER, webhook.id)
    await house.sender.step()
    assert len(house.receiver.told) == 3
    assert (await webhook_of(house, webhook.id)).failures == 1

    clock.move(seconds=4)
    await house.sender.step()
    assert len(house.receiver.told) == 3
    clock.move(minutes=5)
    await house.sender.step()
    assert len(house.receiver.told) == 4

    house.receiver.status = 204
    clock.move(minutes=5)
    while await house.sender.step():
        pass
    assert await house.delivery_states(webhook) == [(DeliveryState.DELIVERED, 204)] * 3
    assert (await webhook_of(house, webhook.id)).failing_since is None


async def test_one_that_fails_for_too_long_is_disabled_with_the_reason_and_enabled_again(
    house, clock
):
    webhook, _ = await house.made()
    house.receiver.status = 503
    await house.webhooks.test(SERVER, webhook.id)
    await house.sender.step()
    clock.move(hours=71)
    await house.webhooks.test(SERVER, webhook.id)
    await house.sender.step()
    assert (await webhook_of(house, webhook.id)).enabled

    clock.move(hours=2)
    await house.webhooks.test(SERVER, webhook.id)
    await house.sender.step()

    disabled = await webhook_of(house, webhook.id)
    assert not disabled.enabled
    assert disabled.disabled_reason == (
        "it has failed since 2026-03-01 08:00Z, last with: status 503"
    )
    assert "webhook.disabled" in await house.room.deeds()

    house.receiver.status = 204
    await house.webhooks.test(SERVER, webhook.id)
    assert await house.sender.step() == 0
    enabled = await house.webhooks.change(SERVER, webhook.id, enabled=True)
    assert (enabled.failures, enabled.failing_since, enabled.disabled_reason) == (0, None, "")
    await house.sender.step()
    assert (await house.delivery_states(webhook))[0] == (DeliveryState.DELIVERED, 204)


@ON_SQLITE
async def test_who_answers_that_it_is_gone_is_disabled_at_once(house):
    webhook, _ = await house.made()
    house.receiver.status = 410
    await house.webhooks.test(SERVER, webhook.id)

    await house.sender.step()

    disabled = await webhook_of(house, webhook.id)
    assert (disabled.enabled, "410" in disabled.disabled_reason) == (False, True)


async def test_what_waits_for_a_webhook_that_never_comes_back_ends_as_failed(house, clock):
    webhook, _ = await house.made()
    await house.webhooks.change(SERVER, webhook.id, enabled=False)
    await house.webhooks.test(SERVER, webhook.id)

    clock.move(hours=25)
    await house.sender.step()

    assert await house.delivery_states(webhook) == [(DeliveryState.FAILED, 0)]


async def test_a_webhook_that_does_not_answer_holds_up_no_other(house, clock):
    slow, _ = await house.made()
    quick, _ = await house.webhooks.create(SERVER, house.other.url, slow.kinds)
    house.receiver.awake.clear()
    for _ in range(10):
        await house.webhooks.test(SERVER, slow.id)
        await house.webhooks.test(SERVER, quick.id)
    stop = Stop()
    running = asyncio.create_task(house.sender.run(stop))

    await house.other.has_heard(10)

    assert len(house.receiver.told) <= WebhookOptions().at_once
    house.receiver.awake.set()
    stop.ask()
    await running
