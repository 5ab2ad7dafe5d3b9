"""What every register of devices promises."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_registry import SqlRegistry
from notifications.audit.types import AuditQuery, Deed
from notifications.registry.types import (
    Arrival,
    Cleaned,
    Cleaning,
    DeviceCount,
    DeviceQuery,
    DeviceState,
    Imported,
)
from notifications.types import Permission, Platform, TokenFault
from tests.support.factories_notifications import (
    AMINA,
    KARIM,
    Room,
    apns,
    notice,
    registration,
)

EVERYTHING = DeviceQuery()
DEED = Deed("key:1", "devices.imported", "devices:*")


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def registry(database):
    return SqlRegistry(database)


@pytest.fixture
def bring(registry, clock):
    async def bring(*imported, limit=25):
        return await registry.bring(imported, limit=limit, deed=DEED, now=clock.now())

    return bring


@pytest.fixture
def clean(registry, clock):
    async def clean(*, limit=100):
        cleaning = Cleaning(
            refused_before=clock.now() - timedelta(days=30),
            untaken_before=clock.now() - timedelta(days=90),
        )
        return await registry.clean(cleaning, now=clock.now(), limit=limit)

    return clean


async def all_of(registry, query=EVERYTHING):
    return list(await registry.page(query, after=None, limit=1000))


async def actions(database):
    page = await SqlAudit(database).page(AuditQuery(), before=None, limit=100)
    return [each.deed.action for each in page]


async def test_pages_lead_through_every_device_once(room, registry):
    phones = await room.phones(5)

    first = await registry.page(EVERYTHING, after=None, limit=2)
    rest = await registry.page(EVERYTHING, after=first[-1].id, limit=100)

    assert {each.id for each in [*first, *rest]} == {each.id for each in phones}
    assert len(first) + len(rest) == 5


async def test_a_query_finds_what_agrees_with_all_of_it(room, registry, clock):
    android = await room.register(AMINA, registration(1))
    apple = await room.register(KARIM, apns(2))
    shop = await room.phone_of_app("shop", 3)
    await room.devices.disable([TokenFault(android.id, 1, "gone")], now=clock.now())

    async def ids(**query):
        return [each.id for each in await all_of(registry, DeviceQuery(**query))]

    assert await ids(app_id="shop") == [shop.id]
    assert await ids(user_id=KARIM) == [apple.id]
    assert await ids(platform=Platform.IOS) == [apple.id]
    assert await ids(state=DeviceState.DISABLED) == [android.id]
    assert await ids(state=DeviceState.ENABLED, user_id=AMINA) == [shop.id]


async def test_counts_are_by_app_platform_and_state(room, registry, clock):
    await room.phones(3)
    apple = await room.register(KARIM, apns(9))
    await room.devices.disable([TokenFault(apple.id, 1, "gone")], now=clock.now())

    assert await registry.counts() == [
        DeviceCount("default", Platform.ANDROID, DeviceState.ENABLED, 3),
        DeviceCount("default", Platform.IOS, DeviceState.DISABLED, 1),
    ]


async def test_the_last_pushes_of_a_device_are_its_own(room, registry, clock):
    device = await room.register(AMINA, registration(1))
    other = await room.register(AMINA, registration(2))
    for number in range(3):
        await room.tell(notice(AMINA, key=f"n{number}"))
        clock.move(seconds=1)

    found = await registry.pushes(device, limit=2)

    assert [each.created_at for each in found] == sorted(
        (each.created_at for each in found), reverse=True
    )
    assert len(found) == 2
    assert {each.id for each in found}.isdisjoint(
        each.id for each in await registry.pushes(other, limit=9)
    )
    assert found[0].urgency is Urgency.INTERACTIVE


async def test_a_removed_device_is_gone_and_on_record(room, registry, clock, database):
    device = await room.register(AMINA, registration())
    deed = Deed("key:1", "device.removed", f"device:{device.id}")

    assert await registry.remove(device.id, deed=deed, now=clock.now())
    assert not await registry.remove(device.id, deed=deed, now=clock.now())

    assert await registry.get(device.id) is None
    assert await actions(database) == ["device.removed"]


async def test_logging_out_takes_one_installation_or_all_and_nobody_elses(room, registry):
    for number in range(3):
        await room.register(AMINA, registration(number))
    await room.register(KARIM, registration(9))

    assert await registry.logout(AMINA, installation_id="installation-9") == 0
    assert await registry.logout(AMINA, installation_id="installation-1") == 1
    assert await registry.logout(AMINA, installation_id="") == 2

    assert [each.user_id for each in await all_of(registry)] == [KARIM]


async def test_what_was_exported_can_be_imported_again(room, registry, bring, clock):
    device = await room.register(AMINA, registration(1, locale="ar-DZ"))
    again = Imported(AMINA, registration(1, locale="ar-DZ"), device.confirmed_at)
    await registry.logout(AMINA, installation_id="")

    assert await bring(again) == [Arrival.NEW]
    assert await bring(again) == [Arrival.KEPT]

    [brought] = await all_of(registry)
    assert replace(brought, id=device.id) == device


async def test_an_import_changes_only_what_was_confirmed_earlier(room, registry, bring, clock):
    await room.register(AMINA, registration(1))
    clock.move(days=1)
    later = Imported(KARIM, registration(1), clock.now())
    earlier = Imported(AMINA, registration(1), clock.now() - timedelta(hours=1))

    assert await bring(later, earlier) == [Arrival.CHANGED, Arrival.KEPT]
    assert [each.user_id for each in await all_of(registry)] == [KARIM]


async def test_an_import_keeps_to_apps_that_are_there_and_to_the_limit(registry, bring, clock):
    nowhere = Imported(AMINA, registration(1, app_id="nowhere"), clock.now())
    many = [Imported(AMINA, registration(n), clock.now()) for n in range(2, 6)]

    arrived = await bring(nowhere, *many, limit=3)

    assert arrived == [Arrival.NO_APP, *[Arrival.NEW] * 4]
    assert len(await all_of(registry)) == 3


async def test_a_clean_up_takes_what_is_of_no_more_use_and_nothing_else(
    room, registry, clean, clock, database
):
    await room.register(UserId("refused"), registration(1, permission=Permission.DENIED))
    await room.register(UserId("untaken"), registration(2))
    taken = await room.register(UserId("taken"), registration(3))
    await room.devices.accepted([taken.id], now=clock.now())
    await room.phone_of_app("shop", 4)
    await room.remove_app("shop")

    assert await clean() == {Cleaned.ORPHANED: 1}
    clock.move(days=31)
    assert await clean() == {Cleaned.REFUSED: 1}
    clock.move(days=60)
    await room.register(UserId("fresh"), registration(5))
    assert await clean() == {Cleaned.UNTAKEN: 1}
    assert await clean() == {}

    assert [each.user_id for each in await all_of(registry)] == ["taken", "fresh"]
    assert await actions(database) == ["devices.cleaned"] * 3


async def test_a_clean_up_goes_no_further_than_its_limit(room, clean, clock):
    await room.phones(5, permission=Permission.DENIED)
    clock.move(days=31)

    assert [sum((await clean(limit=3)).values()) for _ in range(3)] == [3, 2, 0]
