"""From a notice to what arrives at the emulated providers, over real sockets."""

import asyncio
import json
from pathlib import Path

import pytest

from kernel.ids import UserId
from kernel.workers import Stop
from notifications.adapters.fcm import FcmProvider
from notifications.breaker import Hold
from notifications.pushes import PushState
from notifications.sandbox.apns_rules import ONLY_IN_SANDBOX
from notifications.sandbox.credentials import init
from notifications.sandbox.faults import Fault
from notifications.types import AddressKind, Environment, Platform, Route
from tests.support.factories_notifications import AMINA, Room, apns, notice, registration
from tests.support.many_devices import devices_at
from tests.support.sandbox import (
    apns_options,
    fcm_options,
    open_apns,
    open_fcm,
    open_webpush,
    running_sandbox,
    webpush_options,
)


def android(number):
    """A phone whose address the sandbox takes for one of FCM's."""
    return registration(number, address=f"phone-{number:04}")


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
async def sandbox(tmp_path, clock):
    files = init(tmp_path / "sandbox", fcm_port=0)
    async with running_sandbox(Path(files.directory), clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
async def dispatcher(room, sandbox, clock):
    async with (
        open_fcm(fcm_options(sandbox), clock=clock) as fcm,
        open_apns(apns_options(sandbox), clock=clock) as apple,
        open_webpush(webpush_options(sandbox), clock=clock) as browsers,
    ):
        # So many are refused, at most, before a mistake of ours is noticed.
        yield room.dispatcher(fcm, apple, browsers, interactive_width=20)


def browser(sandbox, name):
    """A browser of the sandbox, as it registers itself."""
    address = sandbox.webpush.subscribe(name)
    kind, web = AddressKind.WEBPUSH, Platform.WEB
    return registration(9, address_kind=kind, platform=web, address=address)


async def test_a_notice_arrives_once_on_each_of_a_users_devices(room, sandbox, dispatcher):
    await room.register(AMINA, android(1))
    await room.register(AMINA, apns(2))
    await room.register(AMINA, apns(3, environment=Environment.SANDBOX))
    await room.register(AMINA, browser(sandbox, "amina"))
    await room.tell(notice(AMINA))

    await dispatcher.step()

    assert await room.states() == {PushState.ACCEPTED: 4}
    arrived = [arrival.push_id for arrival in sandbox.arrivals.after()]
    assert len(arrived) == len(set(arrived)) == 4


async def test_a_browser_that_is_gone_is_disabled(room, sandbox, dispatcher):
    gone = await room.register(AMINA, browser(sandbox, "sandbox-gone"))
    await room.tell(notice(AMINA))

    await dispatcher.step()

    assert (await room.device(gone.id, AMINA)).disabled_at is not None
    assert await room.states() == {PushState.REJECTED: 1}


async def test_a_device_whose_app_was_removed_is_disabled(room, sandbox, dispatcher):
    gone = await room.register(AMINA, android(1))
    kept = await room.register(AMINA, android(2))
    sandbox.faults.add(Fault("fcm", "UNREGISTERED", prefix=gone.address))
    await room.tell(notice(AMINA))

    await dispatcher.step()

    assert (await room.device(gone.id, AMINA)).disabled_at is not None
    assert (await room.device(kept.id, AMINA)).disabled_at is None
    assert await room.states() == {PushState.ACCEPTED: 1, PushState.REJECTED: 1}


async def test_a_running_dispatcher_delivers_hundreds_each_once(room, sandbox, dispatcher):
    users = [UserId(f"user-{number}") for number in range(150)]
    for number, user_id in enumerate(users):
        await room.register(user_id, android(number) if number % 2 else apns(number))
    stop = Stop()
    running = asyncio.create_task(dispatcher.run(stop))

    for part in range(2):
        await room.tell(notice(*users, key=f"part-{part}"))
    for _ in range(2000):
        if (await room.states()).get(PushState.ACCEPTED) == 300:
            break
        await asyncio.sleep(0.01)
    stop.ask()
    await running

    assert await room.states() == {PushState.ACCEPTED: 300}
    arrived = [arrival.push_id for arrival in sandbox.arrivals.after()]
    assert len(arrived) == len(set(arrived)) == 300


async def enabled(room, users):
    found = await room.devices.of_users(users)
    return [each for some in found.values() for each in some if each.disabled_at is None]


async def test_a_wrong_project_holds_the_route_and_disables_no_device(room, sandbox, clock):
    users = [device.user_id for device in await room.phones(30)]
    await room.tell(notice(*users))
    account = json.loads(sandbox.files.service_account.read_bytes())
    wrong = json.dumps({**account, "project_id": "somebody-elses"}).encode()

    fcm = FcmProvider(fcm_options(sandbox), clock=clock, account=wrong)
    await fcm.open()
    dispatcher = room.dispatcher(fcm, interactive_width=10)
    while await dispatcher.step():
        pass
    await fcm.close()

    assert dispatcher.gate(Route.FCM).hold is Hold.MISCONFIGURED
    assert set(await room.states()) == {PushState.RETRY, PushState.QUEUED}
    assert len(await enabled(room, users)) == 30


async def test_a_phone_that_said_the_wrong_environment_is_found_in_the_other(
    room, sandbox, dispatcher
):
    phones = [
        await room.register(AMINA, apns(number, address=f"{ONLY_IN_SANDBOX}{number:060x}"))
        for number in range(25)
    ]
    for key in ("first", "second"):
        await room.tell(notice(AMINA, key=key))
    while await dispatcher.step():
        pass
    await room.tell(notice(AMINA, key="third"))
    while await dispatcher.step():
        pass

    found = [await room.device(each.id, AMINA) for each in phones]
    assert await room.states() == {PushState.ACCEPTED: 75}
    assert {each.environment for each in found} == {Environment.SANDBOX}
    assert {each.environment for each in sandbox.arrivals.after()} == {"sandbox"}
    assert dispatcher.gate(Route.APNS).hold is None
    assert [number for number, _, _ in await room.attempts()].count(3) == 0


async def test_addresses_that_are_of_no_environment_are_tried_in_both_and_hold_the_route(
    room, sandbox, dispatcher
):
    sandbox.faults.add(Fault("apns", "BadDeviceToken"))
    phones = [await room.register(AMINA, apns(number)) for number in range(25)]
    await room.tell(notice(AMINA))

    while await dispatcher.step():
        pass

    assert dispatcher.gate(Route.APNS).hold is Hold.SUSPECT_TOKENS
    assert dispatcher.gate(Route.APNS_SANDBOX).hold is None
    assert len(await enabled(room, [AMINA])) == len(phones)
    assert max(number for number, _, _ in await room.attempts()) == 2


async def test_a_key_that_is_of_one_environment_only_does_not_keep_a_push_waiting(
    room, sandbox, dispatcher
):
    await room.register(AMINA, apns(1, address=f"{ONLY_IN_SANDBOX}{1:060x}"))
    only_here = Fault("apns", "BadEnvironmentKeyInToken")
    await room.tell(notice(AMINA))
    await dispatcher.step()
    sandbox.faults.add(only_here)

    while await dispatcher.step():
        pass

    assert await room.states() == {PushState.REJECTED: 1}
    assert dispatcher.gate(Route.APNS).hold is None
    assert len(await enabled(room, [AMINA])) == 1


async def test_addresses_of_the_other_environment_hold_the_route_and_disable_no_device(
    room, sandbox, dispatcher, clock
):
    users = [UserId(f"user-{number}") for number in range(30)]
    for number, user_id in enumerate(users):
        address = f"{ONLY_IN_SANDBOX}{number:02x}".ljust(64, "0")
        phone = await room.register(user_id, apns(number, address=address))
        # It took a push before: its environment is known.
        await room.devices.accepted([phone.id], now=clock.now())
    await room.tell(notice(*users))

    while await dispatcher.step():
        pass

    assert dispatcher.gate(Route.APNS).hold is Hold.SUSPECT_TOKENS
    assert len(await enabled(room, users)) == 30


MISTAKES = {
    "fcm, a revoked key": ("oauth", "invalid_grant", Hold.MISCONFIGURED),
    "fcm, no right to send": ("fcm", "PERMISSION_DENIED", Hold.MISCONFIGURED),
    "fcm, no key for APNs": ("fcm", "THIRD_PARTY_AUTH_ERROR", Hold.MISCONFIGURED),
    "fcm, another sender": ("fcm", "SENDER_ID_MISMATCH", Hold.SUSPECT_TOKENS),
    "apns, a revoked key": ("apns", "InvalidProviderToken", Hold.MISCONFIGURED),
    "apns, a key of the other world": (
        "apns",
        "BadEnvironmentKeyIdInToken",
        Hold.MISCONFIGURED,
    ),
    "apns, an app of others": ("apns", "TopicDisallowed", Hold.MISCONFIGURED),
    "apns, another app": ("apns", "DeviceTokenNotForTopic", Hold.SUSPECT_TOKENS),
    "apns, another world": ("apns", "BadDeviceToken", Hold.SUSPECT_TOKENS),
}


@pytest.mark.parametrize(("provider", "word", "hold"), MISTAKES.values(), ids=MISTAKES.keys())
async def test_no_mistake_of_ours_disables_a_device_and_what_waited_goes_out_once_it_is_mended(
    room, sandbox, dispatcher, clock, provider, word, hold
):
    apple = provider == "apns"
    told = [
        (UserId(f"user-{number}"), AddressKind.APNS, f"{number:064x}")
        if apple
        else (UserId(f"user-{number}"), AddressKind.FCM_TOKEN, f"phone-{number:04}")
        for number in range(60)
    ]
    like = apns() if apple else registration()
    users = [user for user, _, _ in told]
    await devices_at(room.database, told, like=like, clock=clock)
    mistake = sandbox.faults.add(Fault(provider, word))
    await room.tell(notice(*users))

    while await dispatcher.step():
        pass
    route = Route.APNS if apple else Route.FCM
    held = dispatcher.gate(route).hold
    sandbox.faults.remove(mistake.id)
    for _ in range(4):
        clock.move(seconds=61)
        while await dispatcher.step():
            pass

    assert held is hold
    assert dispatcher.gate(route).hold is None
    assert len(await enabled(room, users)) == len(users)
    states = await room.states()
    refused = states.pop(PushState.REJECTED, 0)
    assert states == {PushState.ACCEPTED: len(users) - refused}
    # What was suspect was refused for good; the route was held before it was everybody.
    assert bool(refused) == (hold is Hold.SUSPECT_TOKENS)
    assert refused < len(users)


async def test_a_payload_that_no_provider_takes_fails_alone(room, sandbox, dispatcher):
    users = [UserId(f"user-{number}") for number in range(20)]
    for number, user_id in enumerate(users):
        await room.register(user_id, android(number))
    poisoned = notice(users[10], key="poison", data={"google.reserved": "1"})
    await room.tell(notice(*users[:10]), poisoned, notice(*users[11:], key="after"))

    while await dispatcher.step():
        pass

    assert await room.states() == {PushState.ACCEPTED: 19, PushState.REJECTED: 1}


@pytest.mark.parametrize("provider", ["fcm", "apns"])
async def test_a_payload_that_a_provider_does_not_take_fails_alone(
    room, sandbox, dispatcher, provider
):
    """Nobody foresaw it: we worded it, and only the provider knows what is wrong with it."""
    users = [UserId(f"user-{number}") for number in range(20)]
    for number, user_id in enumerate(users):
        await room.register(user_id, android(number) if provider == "fcm" else apns(number))
    address = "phone-0010" if provider == "fcm" else f"{10:064x}"
    word = "INVALID_PAYLOAD" if provider == "fcm" else "PayloadTooLarge"
    sandbox.faults.add(Fault(provider, word, prefix=address))
    await room.tell(notice(*users))

    while await dispatcher.step():
        pass

    assert await room.states() == {PushState.ACCEPTED: 19, PushState.REJECTED: 1}
    assert len(await enabled(room, users)) == 20


@pytest.mark.parametrize("block", [{"android": {"data": 1}}, {"apple": {"interruption-level": []}}])
async def test_a_push_that_cannot_be_worded_fails_alone(room, sandbox, dispatcher, block):
    users = [UserId(f"user-{number}") for number in range(20)]
    for number, user_id in enumerate(users):
        await room.register(user_id, android(number) if "android" in block else apns(number))
    poisoned = notice(users[10], key="poison", content=block)
    await room.tell(notice(*users[:10]), poisoned, notice(*users[11:], key="after"))

    while await dispatcher.step():
        pass

    assert await room.states() == {PushState.ACCEPTED: 19, PushState.REJECTED: 1}
