"""A provider whose credentials change: nothing is lost, nothing is sent twice."""

import asyncio

from kernel.clock import SystemClock
from notifications.apps.changing import CHANGED, REMOVED, ChangingProvider
from notifications.types import AddressKind, Outcome, Route, Verdict
from tests.support.providers import FakeProvider
from tests.support.sandbox import attempt

MISCONFIGURED = Outcome(Verdict.MISCONFIGURED, "invalid_grant")


class Provider(FakeProvider):
    """A fake that can be checked."""

    async def check(self):
        return {Route.FCM: Outcome(Verdict.ACCEPTED)}


def push(address="phone"):
    return attempt(AddressKind.FCM_TOKEN, now=SystemClock().now(), address=address)


async def test_what_began_with_earlier_credentials_ends_with_them():
    first, second = Provider(), Provider()
    await first.open()
    changing = ChangingProvider(first)
    first.silent = {"slow"}
    slow = asyncio.create_task(changing.send([push("slow")]))
    await first.received(1)

    changed = asyncio.create_task(changing.change(second))
    await asyncio.sleep(0)
    [quick] = await changing.send([push("quick")])
    assert (quick.verdict, len(second.attempts)) == (Verdict.ACCEPTED, 1)
    assert first.is_open
    assert not changed.done()

    first.release()
    [outcome] = await slow
    await changed
    assert outcome.verdict is Verdict.ACCEPTED
    assert not first.is_open
    assert (len(first.attempts), len(second.attempts)) == (1, 1)


async def test_a_push_refused_for_credentials_that_were_replaced_was_not_sent():
    first = Provider(answers=lambda _: MISCONFIGURED)
    changing = ChangingProvider(first)
    first.silent = {"slow"}
    slow = asyncio.create_task(changing.send([push("slow")]))
    await first.received(1)

    changed = asyncio.create_task(changing.change(Provider()))
    await asyncio.sleep(0)
    first.release()

    [outcome] = await slow
    await changed
    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_SENT, CHANGED)


async def test_wrong_credentials_that_stay_are_said_to_be_wrong():
    changing = ChangingProvider(Provider(answers=lambda _: MISCONFIGURED))

    assert await changing.send([push()]) == [MISCONFIGURED]


async def test_after_the_credentials_were_removed_nothing_is_sent():
    first = Provider()
    changing = ChangingProvider(first)

    await changing.close()

    outcomes = await changing.send([push(), push()])
    assert outcomes == [Outcome(Verdict.NOT_SENT, REMOVED)] * 2
    assert first.attempts == []
    assert await changing.check() == {}
