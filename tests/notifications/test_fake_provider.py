"""The fake keeps what `PushProvider` promises; the real ones are in `tests/contracts`."""

import asyncio

import pytest

from notifications.types import AddressKind, Outcome, Verdict
from tests.support.clock import START
from tests.support.providers import ACCEPTED, FakeProvider
from tests.support.sandbox import attempt


def pushes(number):
    return [attempt(AddressKind.FCM_TOKEN, now=START, address=f"a{n}") for n in range(number)]


async def test_outcomes_come_in_the_order_of_the_attempts():
    provider = FakeProvider(answers=lambda each: Outcome(Verdict.ACCEPTED, each.address))
    sending = pushes(40)

    outcomes = await provider.send(sending)

    assert [outcome.reason for outcome in outcomes] == [each.address for each in sending]
    assert list(await provider.send([])) == []


async def test_a_call_may_start_while_others_are_under_way():
    provider = FakeProvider()
    provider.silent = {"a0"}
    slow = asyncio.create_task(provider.send(pushes(1)))
    await provider.received(1)

    assert await provider.send(pushes(3)[1:]) == [ACCEPTED] * 2

    assert not slow.done()
    provider.release()
    assert await slow == [ACCEPTED]


async def test_a_cancelled_call_leaves_the_provider_fit_for_the_next():
    provider = FakeProvider()
    provider.silent = {"a0"}
    cancelled = asyncio.create_task(provider.send(pushes(1)))
    await provider.received(1)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled

    assert await provider.send(pushes(2)[1:]) == [ACCEPTED]
    assert provider.most_at_once == 1


async def test_it_opens_and_closes_as_often_as_one_likes():
    provider = FakeProvider()
    await provider.open()
    assert provider.is_open

    await provider.close()
    await provider.close()

    assert not provider.is_open
