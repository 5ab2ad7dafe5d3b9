"""What every device store promises."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from notifications.adapters.sql_devices import SqlDevices
from notifications.errors import AppNotFound
from notifications.types import AddressKind, Environment, Permission, Route, TokenFault
from tests.support.factories_notifications import AMINA, KARIM, LINA, apns, registration


@pytest.fixture
def store(database):
    return SqlDevices(database)


@pytest.fixture
def register(store, clock):
    async def register(user_id, told, *, limit=25):
        return await store.register(user_id, told, now=clock.now(), limit=limit)

    return register


async def devices_of(store, user_id):
    return (await store.of_users([user_id])).get(user_id, [])


async def test_a_device_is_what_it_said_of_itself(store, register, clock):
    told = apns(1, environment=Environment.SANDBOX, locale="ar-DZ")

    device = await register(AMINA, told)

    assert device.user_id == AMINA
    assert (device.installation_id, device.address) == (told.installation_id, told.address)
    assert (device.route, device.locale) == (Route.APNS_SANDBOX, "ar-DZ")
    assert (device.generation, device.confirmed_at) == (1, clock.now())
    assert await devices_of(store, AMINA) == [device]


async def test_registering_again_confirms_the_device_and_raises_its_generation(
    store, register, clock
):
    first = await register(AMINA, registration())
    clock.move(days=3)

    again = await register(AMINA, registration(app_version="2.0"))

    assert (again.id, again.generation) == (first.id, 2)
    assert (again.confirmed_at, again.app_version) == (clock.now(), "2.0")
    assert await devices_of(store, AMINA) == [again]


async def test_a_phone_that_changes_hands_leaves_its_previous_owner(store, register):
    await register(AMINA, registration())

    moved = await register(KARIM, registration())

    assert await devices_of(store, AMINA) == []
    assert await devices_of(store, KARIM) == [moved]


async def test_a_phone_with_a_new_address_and_a_new_owner_leaves_its_previous_owner(
    store, register
):
    await register(AMINA, registration(address="before"))

    await register(KARIM, registration(address="after"))

    assert await devices_of(store, AMINA) == []
    assert [each.address for each in await devices_of(store, KARIM)] == ["after"]


async def test_a_new_address_replaces_the_older_one_of_the_same_installation(store, register):
    before = await register(AMINA, registration(address="before"))

    after = await register(AMINA, registration(address="after", address_kind=AddressKind.FCM_FID))

    assert after.id == before.id
    assert await devices_of(store, AMINA) == [after]


async def test_an_address_that_reappears_in_another_installation_is_one_device(store, register):
    await register(AMINA, registration(1))
    await register(AMINA, registration(2))

    kept = await register(AMINA, registration(2, address="token-1"))

    assert await devices_of(store, AMINA) == [kept]
    assert kept.installation_id == "installation-2"


async def test_the_same_text_is_another_address_of_another_kind(store, register):
    await register(AMINA, registration(1, address="same"))
    await register(KARIM, registration(2, address="same", address_kind=AddressKind.FCM_FID))

    assert len(await devices_of(store, AMINA)) == 1
    assert len(await devices_of(store, KARIM)) == 1


async def test_beyond_the_limit_the_device_confirmed_longest_ago_goes(store, register, clock):
    for number in range(4):
        await register(AMINA, registration(number), limit=3)
        clock.move(minutes=1)
    await register(AMINA, registration(1), limit=3)
    clock.move(minutes=1)

    await register(AMINA, registration(9), limit=3)

    left = [each.installation_id for each in await devices_of(store, AMINA)]
    assert left == ["installation-9", "installation-1", "installation-3"]


async def test_many_at_once_make_one_device_of_one_phone(store, register):
    owners = [AMINA, KARIM, LINA] * 4

    await asyncio.gather(
        *(
            register(owner, registration(address=f"token-{number % 2}"))
            for number, owner in enumerate(owners)
        )
    )

    found = await store.of_users([AMINA, KARIM, LINA])
    assert sum(len(devices) for devices in found.values()) == 1


async def test_only_the_owner_forgets_a_device_unless_nobody_is_named(store, register):
    mine, other = await register(AMINA, registration(1)), await register(AMINA, registration(2))

    assert not await store.forget(mine.id, owner=KARIM)
    assert await store.forget(mine.id, owner=AMINA)
    assert not await store.forget(mine.id, owner=AMINA)
    assert await store.forget(other.id, owner=None)
    assert await devices_of(store, AMINA) == []


async def test_a_fault_disables_the_generation_that_was_sent_to(store, register, clock):
    device = await register(AMINA, registration())
    fault = TokenFault(device.id, device.generation, "UNREGISTERED")

    assert await store.disable([fault, TokenFault(uuid4(), 1, "x")], now=clock.now()) == 1
    assert await store.disable([fault], now=clock.now()) == 0

    (disabled,) = await devices_of(store, AMINA)
    assert (disabled.disabled_at, disabled.disabled_reason) == (clock.now(), "UNREGISTERED")


async def test_a_fault_of_an_earlier_generation_changes_nothing(store, register, clock):
    earlier = await register(AMINA, registration())
    await register(AMINA, registration())

    fault = TokenFault(earlier.id, earlier.generation, "UNREGISTERED")

    assert await store.disable([fault], now=clock.now()) == 0
    assert (await devices_of(store, AMINA))[0].disabled_at is None


async def test_an_address_confirmed_after_it_was_said_to_be_invalid_stays(store, register, clock):
    device = await register(AMINA, apns())
    before = TokenFault(device.id, 1, "Unregistered", clock.now() - timedelta(seconds=1))
    since = TokenFault(device.id, 1, "Unregistered", clock.now())

    assert await store.disable([before], now=clock.now()) == 0
    assert await store.disable([since], now=clock.now()) == 1


async def test_a_device_is_found_in_another_environment_unless_it_registered_since(
    store, register, clock
):
    device = await register(AMINA, apns())
    await store.found(device.id, generation=2, environment=Environment.SANDBOX)
    assert (await devices_of(store, AMINA))[0].environment is Environment.PRODUCTION

    await store.found(device.id, generation=1, environment=Environment.SANDBOX)

    (found,) = await devices_of(store, AMINA)
    assert (found.environment, found.generation) == (Environment.SANDBOX, 1)


async def test_what_was_taken_in_one_environment_says_nothing_of_another(store, register, clock):
    device = await register(AMINA, apns())
    await store.accepted([device.id], now=clock.now())

    same = await register(AMINA, apns())
    other = await register(AMINA, apns(environment=Environment.SANDBOX))

    assert (same.accepted_at, other.accepted_at) == (clock.now(), None)


async def test_registering_enables_a_disabled_device(store, register, clock):
    device = await register(AMINA, registration())
    await store.disable([TokenFault(device.id, 1, "UNREGISTERED")], now=clock.now())

    again = await register(AMINA, registration())

    assert (again.id, again.disabled_at, again.disabled_reason) == (device.id, None, "")


async def test_acceptance_is_remembered_once_a_day(store, register, clock):
    device = await register(AMINA, registration())
    first = clock.now()

    await store.accepted([device.id], now=first)
    clock.move(hours=23)
    await store.accepted([device.id], now=clock.now())
    assert (await devices_of(store, AMINA))[0].accepted_at == first

    clock.move(hours=2)
    await store.accepted([device.id], now=clock.now())
    assert (await devices_of(store, AMINA))[0].accepted_at == clock.now()


async def test_purging_deletes_what_is_long_disabled_or_long_unconfirmed(store, register, clock):
    gone = await register(AMINA, registration(1))
    await store.disable([TokenFault(gone.id, 1, "UNREGISTERED")], now=clock.now())
    await register(AMINA, registration(2))
    clock.move(days=31)
    kept = await register(AMINA, registration(3))

    async def purge():
        return await store.purge(
            disabled_before=clock.now() - timedelta(days=30),
            confirmed_before=clock.now() - timedelta(days=270),
            limit=10,
        )

    assert await purge() == 1
    clock.move(days=240)
    assert await purge() == 1
    assert await devices_of(store, AMINA) == [kept]


async def test_asking_for_nobody_finds_nobody(store):
    assert await store.of_users([]) == {}


async def test_an_app_that_is_not_there_has_no_devices(register, store):
    with pytest.raises(AppNotFound):
        await register(AMINA, registration(app_id="nowhere"))

    assert await devices_of(store, AMINA) == []


async def test_a_device_says_whether_it_may_show_notifications(register, store):
    await register(AMINA, registration(permission=Permission.DENIED))

    again = await register(AMINA, registration())

    assert again.permission is Permission.UNKNOWN
