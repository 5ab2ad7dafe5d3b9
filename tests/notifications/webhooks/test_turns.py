"""In which order a webhook hears of one push: its outcome first, then what devices report."""

import asyncio
import random
from collections import defaultdict
from datetime import timedelta

import msgspec
import pytest

from notifications.adapters.sql_deliveries import SqlDeliveries
from notifications.adapters.sql_reports import SqlReports
from notifications.adapters.webhook_turns import IN_ORDER
from notifications.reports.types import Report, ReportEvent
from notifications.webhooks.types import Answer, DeliveryState, NewsKind
from tests.support.factories_notifications import AMINA, registration
from tests.support.providers import FakeProvider
from tests.support.sending import request
from tests.support.telling import SERVER, events

EVENTS = (ReportEvent.RECEIVED, ReportEvent.SHOWN, ReportEvent.OPENED)


@pytest.fixture
def deliveries(house):
    return SqlDeliveries(house.room.database)


@pytest.fixture
async def sent(house):
    """Pushes to one phone that a webhook wants to hear of."""
    await house.made()
    await house.room.register(AMINA, registration())

    async def sent(number=1):
        provider = FakeProvider()
        for each in range(number):
            asked = request(idempotency_key=f"{each}-{random.random()}")
            await house.room.sends.send(SERVER, asked)
        await house.room.hand_on()
        return provider, house.room.dispatcher(provider)

    return sent


@pytest.fixture
def report(house):
    async def report(push_id, event):
        now = house.room.clock.now()
        await SqlReports(house.room.database).keep([Report(push_id, event, now)], now=now)

    return report


@pytest.fixture
def take(deliveries, clock):
    async def take():
        await deliveries.gather(now=clock.now(), limit=500)
        return await deliveries.claim(now=clock.now(), lease=timedelta(days=1), limit=50)

    return take


@pytest.fixture
def answer(deliveries, clock):
    async def answer(held, status=204):
        good = status == 204
        await deliveries.settle(
            held,
            Answer(status),
            DeliveryState.DELIVERED if good else DeliveryState.WAITING,
            due_at=None if good else clock.now(),
            patience=timedelta(days=9),
            now=clock.now(),
        )
        # A webhook that failed rests.
        clock.move(minutes=20)

    return answer


async def test_a_report_that_came_before_the_outcome_was_settled_is_told_after_it(
    sent, report, take, answer
):
    provider, dispatcher = await sent()
    provider.silent.add(registration().address)
    sending = asyncio.create_task(dispatcher.step())
    await provider.received(1, within=120.0)
    await report(provider.attempts[0].push_id, ReportEvent.OPENED)

    assert await take() == []
    provider.release()
    await sending
    (outcome,) = await take()
    assert outcome.delivery.kind == NewsKind.OUTCOMES
    assert await take() == []
    await answer(outcome)
    (opened,) = await take()
    assert opened.delivery.kind == NewsKind.REPORTS


async def test_reports_wait_for_those_before_them_and_outcomes_for_nothing(
    sent, report, take, answer
):
    provider, dispatcher = await sent(2)
    await dispatcher.step()
    first, second = (each.push_id for each in provider.attempts)
    (outcomes,) = await take()
    await answer(outcomes)

    await report(first, ReportEvent.RECEIVED)
    (received,) = await take()
    await report(first, ReportEvent.OPENED)
    await report(second, ReportEvent.RECEIVED)
    assert await take() == []
    _, dispatcher = await sent()
    await dispatcher.step()
    (meanwhile,) = await take()
    await answer(meanwhile)
    await answer(received, 500)
    (again,) = await take()

    assert meanwhile.delivery.kind == NewsKind.OUTCOMES
    assert again.delivery.id == received.delivery.id
    await answer(again)
    (after,) = await take()
    told = msgspec.json.decode(after.delivery.body)
    assert {(each["push_id"], each["event"]) for each in told} == {
        (str(first), "opened"),
        (str(second), "received"),
    }


async def test_reports_of_one_moment_are_told_in_the_order_of_a_pushs_life(
    sent, report, take, answer
):
    provider, dispatcher = await sent()
    await dispatcher.step()
    (outcome,) = await take()
    await answer(outcome)

    for event in reversed(EVENTS):
        await report(provider.attempts[0].push_id, event)
    (reports,) = await take()

    told = msgspec.json.decode(reports.delivery.body)
    assert [each["event"] for each in told] == list(EVENTS)


async def test_news_that_is_never_taken_holds_up_the_others_for_a_while_only(
    sent, report, take, answer
):
    provider, dispatcher = await sent()
    await dispatcher.step()
    push_id = provider.attempts[0].push_id
    (refused,) = await take()
    await report(push_id, ReportEvent.RECEIVED)

    tries = 0
    while refused.delivery.kind is NewsKind.OUTCOMES:
        tries += 1
        await answer(refused, 500)
        (refused,) = await take()

    assert tries == IN_ORDER + 1
    assert refused.delivery.kind == NewsKind.REPORTS


async def test_two_workers_and_a_server_that_fails_tell_of_each_push_in_order(
    house, sent, report, clock
):
    provider, dispatcher = await sent(5)
    senders = [house.sender, house.another_sender()]
    dice = random.Random(7)

    async def devices():
        await dispatcher.step()
        for event in EVENTS:
            for attempt in dice.sample(provider.attempts, len(provider.attempts)):
                await report(attempt.push_id, event)
                await asyncio.sleep(0)

    async def tell(sender):
        while sum(len(each) for each in heard(house).values()) < 4 * 5:
            house.receiver.status = dice.choice((204, 204, 500))
            await sender.step()
            clock.move(minutes=5)

    await asyncio.gather(devices(), *map(tell, senders))

    assert set(map(tuple, heard(house).values())) == {("accepted", *EVENTS)}


def heard(house):
    """What was said of each push, in the order in which it was said first."""
    by_push = defaultdict(list)
    for each in house.receiver.told:
        for event in events(each)[1]:
            said = event.get("state") or event["event"]
            if said not in by_push[event["push_id"]]:
                by_push[event["push_id"]].append(said)
    return by_push
