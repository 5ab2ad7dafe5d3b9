"""Claim, send, settle: what becomes of pushes, whoever answers what."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Urgency
from kernel.workers import Stop
from notifications.breaker import Hold
from notifications.dispatcher import Dispatcher, DispatcherOptions
from notifications.pushes import PushState
from notifications.throttle import ThrottleOptions
from notifications.types import (
    AddressKind,
    Environment,
    Outcome,
    PushKind,
    Route,
    ThrottleScope,
    Verdict,
)
from notifications.vitals import Vitals
from tests.support.factories_notifications import (
    AMINA,
    Room,
    apns,
    notice,
    planned,
    registration,
)
from tests.support.metrics import value_of
from tests.support.providers import ACCEPTED, FakeProvider
from tests.support.told_users import crowd, until


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def fcm():
    return FakeProvider()


def answering(verdict, **more):
    return FakeProvider(answers=lambda attempt: Outcome(verdict, "why", **more))


async def drained(dispatcher, *, most=100):
    for _ in range(most):
        if await dispatcher.step() == 0:
            return
    raise AssertionError(f"there was more to send after {most} steps")


async def test_a_due_push_is_sent_once_and_accepted(room, fcm):
    await crowd(room, 1)
    dispatcher = room.dispatcher(fcm)

    assert [await dispatcher.step(), await dispatcher.step()] == [1, 0]

    assert await room.states() == {PushState.ACCEPTED: 1}
    assert [each.address for each in fcm.attempts] == ["user-token-0"]


async def test_an_accepted_push_tells_that_its_device_lives(room, fcm, clock):
    device = await room.register(AMINA, registration())
    await room.tell(notice(AMINA))

    await room.dispatcher(fcm).step()

    assert (await room.device(device.id, AMINA)).accepted_at == clock.now()


async def test_each_address_goes_out_with_the_provider_that_carries_it(room, fcm):
    apple = FakeProvider(name="apns", carries=frozenset({AddressKind.APNS}))
    await room.register(AMINA, registration(1))
    await room.register(AMINA, apns(2))
    await room.register(AMINA, apns(3, environment=Environment.SANDBOX))
    await room.tell(notice(AMINA))

    await drained(room.dispatcher(fcm, apple))

    assert [each.address_kind for each in fcm.attempts] == [AddressKind.FCM_TOKEN]
    assert {each.environment for each in apple.attempts} == set(Environment)
    assert await room.states() == {PushState.ACCEPTED: 3}


async def test_two_dispatchers_send_each_push_once(room, fcm):
    await crowd(room, 300)
    dispatchers = [room.dispatcher(fcm, interactive_width=40) for _ in range(2)]

    for _ in range(10):
        await asyncio.gather(*(each.step() for each in dispatchers))

    assert await room.states() == {PushState.ACCEPTED: 300}
    assert len(fcm.copies) == 300
    assert set(fcm.copies.values()) == {1}


async def test_whatever_is_answered_the_totals_add_up(room, clock):
    verdicts = list(Verdict)
    provider = FakeProvider(
        answers=lambda attempt: Outcome(verdicts[attempt.push_id.int % len(verdicts)])
    )
    await crowd(room, 90)
    dispatchers = [room.dispatcher(provider) for _ in range(2)]

    for _ in range(40):
        await asyncio.gather(*(each.step() for each in dispatchers))
        clock.move(minutes=2)
        await room.upkeep.step()

    states = await room.states()
    assert sum(states.values()) == 90
    assert not states.keys() & {PushState.QUEUED, PushState.RETRY, PushState.SENDING}
    assert len(await room.attempts()) == len(provider.attempts)


async def test_a_push_that_failed_waits_and_is_sent_again_as_the_same(room, fcm, clock):
    answers = iter([Outcome(Verdict.FAILED, "UNAVAILABLE"), ACCEPTED])
    fcm.answers = lambda attempt: next(answers)
    await crowd(room, 1)
    dispatcher = room.dispatcher(fcm)

    await drained(dispatcher)
    assert await room.states() == {PushState.RETRY: 1}
    clock.move(seconds=20)
    await drained(dispatcher)

    first, second = fcm.attempts
    assert (first.push_id, first.collapse_key) == (second.push_id, second.collapse_key)
    assert (first.number, second.number) == (1, 2)
    assert await room.states() == {PushState.ACCEPTED: 1}
    assert [verdict for _, verdict, _ in await room.attempts()] == ["failed", "accepted"]


async def test_a_poisoned_push_fails_alone(room, fcm):
    fcm.answers = lambda attempt: (
        Outcome(Verdict.REJECTED, "INVALID_ARGUMENT") if "7" in attempt.address else ACCEPTED
    )
    await crowd(room, 10)

    await drained(room.dispatcher(fcm))

    assert await room.states() == {PushState.ACCEPTED: 9, PushState.REJECTED: 1}


async def test_chat_goes_out_in_the_first_round_while_a_campaign_fills_the_queue(room, fcm):
    users = [device.user_id for device in await room.phones(50)]
    sale = [notice(*users, key=f"sale-{n}", urgency=Urgency.MARKETING) for n in range(200)]
    await room.tell(*sale)
    dispatcher = room.dispatcher(fcm)
    await dispatcher.step()
    assert await room.states() == {PushState.QUEUED: 9_950, PushState.ACCEPTED: 50}
    await room.register(AMINA, registration(99))
    await room.tell(notice(AMINA, key="salam"))
    before = len(fcm.attempts)

    await dispatcher.step()

    assert fcm.attempts[before].address == "token-99"
    assert fcm.attempts[before].urgency is Urgency.INTERACTIVE


async def test_chat_goes_out_while_every_place_of_marketing_is_taken(room, fcm, clock):
    await crowd(room, 30, key="sale", urgency=Urgency.MARKETING)
    fcm.silent = {f"user-token-{number}" for number in range(30)}
    dispatcher = room.dispatcher(fcm, marketing_width=10)
    stop = Stop()
    running = asyncio.create_task(dispatcher.run(stop))
    await fcm.received(10)

    await room.register(AMINA, registration())
    await room.tell(notice(AMINA, key="salam"))
    await fcm.received(11)

    assert fcm.attempts[-1].urgency is Urgency.INTERACTIVE
    await until(room.states, PushState.ACCEPTED, 1)
    stop.ask()
    fcm.release()
    await running
    assert (await room.states())[PushState.ACCEPTED] == 11


@pytest.mark.parametrize(
    ("urgency", "copies", "state"),
    [
        (Urgency.INTERACTIVE, 2, PushState.ACCEPTED),
        (Urgency.TRANSACTIONAL, 2, PushState.ACCEPTED),
        (Urgency.MARKETING, 1, PushState.AMBIGUOUS),
    ],
)
async def test_a_push_whose_dispatcher_died_is_repeated_once_unless_it_is_marketing(
    room, fcm, clock, urgency, copies, state
):
    await crowd(room, 4, urgency=urgency)
    fcm.silent = {f"user-token-{number}" for number in range(4)}
    dying = asyncio.create_task(room.dispatcher(fcm).step())
    await fcm.received(4)
    dying.cancel()
    await asyncio.wait([dying])
    fcm.release()

    await drained(room.dispatcher(fcm))
    assert await room.states() == {PushState.SENDING: 4}
    clock.move(seconds=60)
    assert await room.upkeep.step() == 4
    clock.move(seconds=20)
    await drained(room.dispatcher(fcm))

    assert await room.states() == {state: 4}
    assert set(fcm.copies.values()) == {copies}
    assert (1, "ambiguous", "lease_ended") in await room.attempts()


async def test_a_dispatcher_that_comes_back_late_settles_nothing(room, fcm, clock, caplog):
    await crowd(room, 1, urgency=Urgency.MARKETING)
    fcm.silent = {"user-token-0"}
    late = asyncio.create_task(room.dispatcher(fcm).step())
    await fcm.received(1)
    clock.move(seconds=61)
    await room.upkeep.step()

    fcm.release()
    await late

    assert await room.states() == {PushState.AMBIGUOUS: 1}
    assert "push leases lost" in caplog.text


async def test_a_gone_address_disables_its_device(room, clock):
    device = await room.register(AMINA, registration())
    await room.tell(notice(AMINA))

    await drained(room.dispatcher(answering(Verdict.TOKEN_GONE)))

    assert (await room.device(device.id, AMINA)).disabled_at == clock.now()
    assert await room.states() == {PushState.REJECTED: 1}
    assert value_of(room.metrics, "notifications_devices_disabled_total") == 1


async def test_an_address_registered_again_while_it_was_sent_to_stays(room, fcm):
    device = await room.register(AMINA, registration())
    await room.tell(notice(AMINA))
    fcm.answers = lambda attempt: Outcome(Verdict.TOKEN_GONE)
    fcm.silent = {"token-1"}
    sending = asyncio.create_task(room.dispatcher(fcm).step())
    await fcm.received(1)

    await room.register(AMINA, registration())
    fcm.release()
    await sending

    assert (await room.device(device.id, AMINA)).disabled_at is None


async def test_apns_may_not_disable_an_address_confirmed_since_it_became_invalid(room, clock):
    since = clock.now() - timedelta(minutes=5)
    apple = FakeProvider(
        name="apns",
        carries=frozenset({AddressKind.APNS}),
        answers=lambda attempt: Outcome(Verdict.TOKEN_GONE, invalid_since=since),
    )
    device = await room.register(AMINA, apns())
    await room.tell(notice(AMINA))

    await drained(room.dispatcher(apple))

    assert (await room.device(device.id, AMINA)).disabled_at is None


async def test_a_wrong_project_disables_no_address_and_holds_the_route(room):
    await crowd(room, 60)
    dispatcher = room.dispatcher(answering(Verdict.TOKEN_SUSPECT), interactive_width=20)

    await drained(dispatcher)

    assert dispatcher.gate(Route.FCM).hold is Hold.SUSPECT_TOKENS
    assert await room.states() == {PushState.REJECTED: 20, PushState.QUEUED: 40}
    found = await room.devices.of_users([UserId(f"user-{n}") for n in range(60)])
    assert all(each.disabled_at is None for some in found.values() for each in some)


async def test_wrong_credentials_hold_the_queue_until_they_are_mended(room, fcm, clock):
    fcm.answers = lambda attempt: Outcome(Verdict.MISCONFIGURED, "PERMISSION_DENIED")
    await crowd(room, 12, expires_at=clock.now() + timedelta(hours=2))
    dispatcher = room.dispatcher(fcm, interactive_width=5)
    await drained(dispatcher)
    assert dispatcher.gate(Route.FCM).hold is Hold.MISCONFIGURED
    assert len(fcm.attempts) == 5

    clock.move(seconds=30)
    await drained(dispatcher)
    assert len(fcm.attempts) == 6
    fcm.answers = lambda attempt: ACCEPTED
    clock.move(seconds=60)
    await drained(dispatcher)

    assert await room.states() == {PushState.ACCEPTED: 12}


async def test_a_held_queue_expires(room, clock):
    await crowd(room, 8)
    dispatcher = room.dispatcher(answering(Verdict.MISCONFIGURED))
    await drained(dispatcher)

    clock.move(hours=1)
    await room.upkeep.step()

    assert await room.states() == {PushState.EXPIRED: 8}


async def test_a_throttled_credential_is_left_alone_for_as_long_as_it_wants(room, fcm, clock):
    throttled = Outcome(Verdict.THROTTLED, retry_after=90.0, scope=ThrottleScope.CREDENTIAL)
    answers = iter([throttled])
    fcm.answers = lambda attempt: next(answers, ACCEPTED)
    await crowd(room, 9)
    dispatcher = room.dispatcher(fcm, interactive_width=3)
    await dispatcher.step()
    sent = len(fcm.attempts)

    clock.move(seconds=89)
    await drained(dispatcher)
    assert len(fcm.attempts) == sent
    clock.move(seconds=1)
    await drained(dispatcher)

    assert await room.states() == {PushState.ACCEPTED: 9}


async def test_no_more_is_claimed_than_the_credential_may_be_fed(room, fcm, clock):
    await crowd(room, 50)
    room.generous = ThrottleOptions(fcm_per_second=10, apns_per_second=10)
    dispatcher = room.dispatcher(fcm)

    sent = []
    for _ in range(3):
        await drained(dispatcher)
        sent.append(len(fcm.attempts))
        clock.move(seconds=1)

    assert sent == [10, 20, 30]


async def test_what_happened_is_counted_and_no_address_is_logged(room, fcm, clock, metrics, caplog):
    caplog.set_level("INFO")
    fcm.answers = lambda attempt: (
        Outcome(Verdict.REJECTED, "why") if attempt.address.endswith("0") else ACCEPTED
    )
    await crowd(room, 3)
    counted = Metrics()
    dispatcher = Dispatcher(
        store=room.pushes,
        providers={Urgency.INTERACTIVE: [fcm]},
        feedback=room.feedback,
        clock=clock,
        metrics=counted,
        options=DispatcherOptions(),
        throttle=ThrottleOptions(),
        pulse=room.pulse,
    )
    clock.move(seconds=4)
    await room.upkeep.step()
    age = "notifications_oldest_due_age_seconds"
    lane = {"app": "default", "route": "fcm", "urgency": "interactive"}
    assert value_of(metrics, age, **lane) == 4

    await drained(dispatcher)
    await room.upkeep.step()

    attempts = "notifications_attempts_total"
    sent = {"app": "default", "provider": "fcm", "urgency": "interactive"}
    assert value_of(counted, attempts, **sent, verdict="accepted") == 2
    assert value_of(counted, attempts, **sent, verdict="rejected") == 1
    assert value_of(counted, "notifications_in_flight", **lane) == 0
    assert value_of(metrics, age, **lane) == 0
    assert "user-token" not in caplog.text
    assert not any("user-token" in str(vars(record)) for record in caplog.records)


async def test_a_provider_that_fails_is_left_alone_and_found_well_by_three_chat_pushes(
    room, fcm, clock
):
    fcm.answers = lambda attempt: Outcome(Verdict.FAILED, "INTERNAL")
    await crowd(room, 40, urgency=Urgency.TRANSACTIONAL, expires_at=clock.now() + timedelta(days=1))
    dispatcher = room.dispatcher(fcm, transactional_width=20)
    await drained(dispatcher)
    assert dispatcher.gate(Route.FCM).hold is Hold.FAILING
    assert len(fcm.attempts) == 20

    fcm.answers = lambda attempt: ACCEPTED
    await crowd(room, 4, prefix="chat", key="salam")
    clock.move(seconds=30)
    await dispatcher.step()
    assert {each.urgency for each in fcm.attempts[20:23]} == {Urgency.INTERACTIVE}
    await drained(dispatcher)

    assert dispatcher.gate(Route.FCM).hold is None
    assert await room.states() == {PushState.ACCEPTED: 44}


class FakeRates:
    """What all dispatchers may send, as far as a test allows it."""

    def __init__(self, left):
        self.left = left
        self.pauses = []

    async def take(self, route, wanted, *, urgency, app_id):
        granted = min(wanted, self.left)
        self.left -= granted
        return granted

    def give_back(self, route, unused, *, app_id):
        self.left += unused

    async def complained(self, route, *, retry_after, app_id):
        self.pauses.append(retry_after)


async def test_no_more_is_claimed_than_all_dispatchers_together_may_send(room, fcm):
    await crowd(room, 30)
    rates = FakeRates(20)
    dispatchers = [room.dispatcher(fcm, rates=rates, interactive_width=12) for _ in range(2)]

    for dispatcher in dispatchers:
        await drained(dispatcher)

    assert await room.states() == {PushState.ACCEPTED: 20, PushState.QUEUED: 10}
    rates.left = 100
    await drained(dispatchers[0])
    assert rates.left == 90


async def test_a_throttled_credential_is_told_to_all_dispatchers(room):
    throttled = answering(Verdict.THROTTLED, retry_after=90.0, scope=ThrottleScope.CREDENTIAL)
    rates = FakeRates(100)
    await crowd(room, 3)

    await room.dispatcher(throttled, rates=rates).step()

    assert rates.pauses == [90.0]


async def test_a_live_activity_whose_own_address_is_gone_leaves_its_device_enabled(room, clock):
    phone = await room.register(AMINA, registration())
    notification, push = planned(phone)
    activity = replace(
        push.content, kind=PushKind.LIVE_ACTIVITY, live_activity_token="ab" * 64, apple=ENDED
    )
    await room.pushes.plan([notification], [replace(push, content=activity)])

    await room.dispatcher(answering(Verdict.TOKEN_GONE)).step()

    assert (await room.device(phone.id, AMINA)).disabled_at is None
    assert await room.states() == {PushState.REJECTED: 1}


ENDED = {"event": "end", "timestamp": 1}


async def test_the_vitals_of_every_provider_are_metrics(room, fcm, clock, metrics):
    fcm.vitals = Vitals(connections=2, slots=90, waiting=3, drained=1)
    dispatcher = Dispatcher(
        store=room.pushes,
        providers={Urgency.INTERACTIVE: [fcm], Urgency.MARKETING: [fcm]},
        feedback=room.feedback,
        clock=clock,
        metrics=metrics,
        options=DispatcherOptions(),
        throttle=ThrottleOptions(),
        pulse=room.pulse,
    )
    stop = Stop()
    running = asyncio.create_task(dispatcher.run(stop))
    await clock.asleep()
    stop.ask()
    await running

    who = {"app": "default", "provider": "fcm"}
    told = {
        name: value_of(metrics, f"notifications_provider_{name}", **who)
        for name in ("connections", "slots", "waiting", "drained")
    }
    assert told == {"connections": 2, "slots": 90, "waiting": 3, "drained": 1}
