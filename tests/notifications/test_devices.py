"""Registering, forgetting and listing devices."""

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from notifications.devices import DeviceOptions, Devices, canonical_locale
from notifications.errors import DeviceNotFound
from notifications.types import AddressKind, Environment, Platform
from tests.support.factories_notifications import (
    AMINA,
    KARIM,
    Room,
    apns,
    registration,
    server,
    user,
)


@pytest.fixture
def devices(sqlite_database, clock, metrics):
    room = Room(sqlite_database, clock, metrics)
    return Devices(store=room.devices, clock=clock, options=DeviceOptions(per_user=2))


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("fr", "fr"),
        ("ar_dz", "ar-DZ"),
        ("AR-dz", "ar-DZ"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("ar-DZ-u-nu-LATN", "ar-DZ-u-nu-latn"),
        ("kab", "kab"),
        ("ca-ES-valencia", "ca-ES-valencia"),
    ],
)
def test_a_language_tag_has_one_spelling(written, canonical):
    assert canonical_locale(written) == canonical


@pytest.mark.parametrize("text", ["", "f", "français", "fr-", "fr--DZ", "12", "fr DZ", "a" * 36])
def test_what_is_no_language_tag_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        canonical_locale(text)
    assert caught.value.details["field"] == "locale"


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("address_kind", registration(address_kind=AddressKind.FCM_TOPIC, address="weddings")),
        ("address_kind", registration(address_kind=AddressKind.FCM_CONDITION)),
        ("address", registration(address_kind=AddressKind.WEBPUSH, address="https://x.example")),
        ("platform", registration(address_kind=AddressKind.WEBPUSH, platform=Platform.IOS)),
        ("address", apns(address="xyz")),
        ("address", apns(address="abc")),
        ("address", apns(address="ab" * 101)),
        ("address", apns(address="")),
        ("address", registration(address="with space")),
        ("address", registration(address="é")),
        ("address", registration(address="t" * 4097)),
        ("address", registration(address="nul\0")),
        ("installation_id", registration(installation_id="short")),
        ("installation_id", registration(installation_id="\u200b" * 10)),
        ("platform", apns(platform=Platform.ANDROID)),
        ("time_zone", registration(time_zone="Africa/Oran")),
        ("time_zone", registration(time_zone="../../etc/passwd")),
        ("app_version", registration(app_version="1\n2")),
        ("app_version", registration(app_version="1" * 65)),
        ("locale", registration(locale="fr_DZ_POSIX_")),
    ],
)
async def test_what_no_device_can_say_is_refused_and_named(devices, field, told):
    with pytest.raises(InvalidInput) as caught:
        await devices.register(user(AMINA), told)
    assert caught.value.details["field"] == field


async def test_an_apns_address_is_the_same_in_either_case(devices):
    first = await devices.register(user(AMINA), apns(address="AB" * 32))

    again = await devices.register(user(AMINA), apns(address="ab" * 32))

    assert (again.id, again.generation, again.address) == (first.id, 2, "ab" * 32)


async def test_fcm_knows_production_only(devices):
    device = await devices.register(
        user(AMINA), registration(environment=Environment.SANDBOX, locale="ar_dz")
    )

    assert (device.environment, device.locale) == (Environment.PRODUCTION, "ar-DZ")
    assert device.address_kind is AddressKind.FCM_TOKEN


async def test_only_so_many_devices_per_user_are_kept(devices, clock):
    for number in range(3):
        await devices.register(user(AMINA), registration(number))
        clock.move(seconds=1)

    mine = await devices.mine(user(AMINA))

    assert [each.installation_id for each in mine] == ["installation-2", "installation-1"]


async def test_a_forgotten_device_is_gone_for_its_owner_only(devices):
    device = await devices.register(user(AMINA), registration())

    with pytest.raises(DeviceNotFound):
        await devices.forget(user(KARIM), device.id)
    await devices.forget(user(AMINA), device.id)
    with pytest.raises(DeviceNotFound):
        await devices.forget(user(AMINA), device.id)


async def test_operators_list_anybodys_devices(devices):
    device = await devices.register(user(AMINA), registration())
    operator = server(Scope.DEVICES)

    assert await devices.of_user(operator, AMINA) == [device]


async def test_an_address_is_in_no_representation_of_a_device(devices):
    told = registration(address="secret-token")

    device = await devices.register(user(AMINA), told)

    assert "secret-token" not in repr(device) + repr(told) + str(device)


async def test_servers_have_no_devices_of_their_own(devices):
    with pytest.raises(Denied):
        await devices.mine(server(*Scope))
