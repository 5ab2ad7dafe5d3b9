"""What every store of apps and credentials promises."""

import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa

from notifications.adapters.sql_apps import CREDENTIALS, SqlApps
from notifications.adapters.sql_audit import SqlAudit
from notifications.apps.sealing import KeyRing, make_key
from notifications.apps.types import App, Credential, ProviderName
from notifications.audit.types import AuditQuery, Deed
from notifications.errors import AppNotFound
from notifications.types import DEFAULT_APP

OLD, NEW = make_key("old"), make_key("new")
UNDER_OLD = KeyRing([OLD])
FCM, APNS = ProviderName.FCM, ProviderName.APNS
DEED = Deed("key:1", "credential.changed", "app:shop")


@pytest.fixture
def store(database):
    return SqlApps(database)


@pytest.fixture
def shop(clock):
    return App("shop", "Zaffa Shop", clock.now())


@pytest.fixture
def change(store, clock):
    async def change(app_id="shop", provider=FCM, *, secret=b"first", ring=UNDER_OLD):
        credential = Credential(provider, secret, {"project_id": app_id})

        def seal(version):
            return ring.seal(credential, app_id=app_id, version=version, changed_at=clock.now())

        return await store.change(app_id, provider, seal, deed=DEED, now=clock.now())

    return change


async def deeds(database):
    page = await SqlAudit(database).page(AuditQuery(), before=None, limit=100)
    return [each.deed for each in page]


async def test_an_app_keeps_its_beginning_when_it_is_renamed(store, shop, clock):
    await store.put(shop, deed=DEED)
    clock.move(days=1)

    renamed = await store.put(replace(shop, name="Shop", created_at=clock.now()), deed=DEED)

    assert renamed == replace(shop, name="Shop")
    assert await store.all() == [renamed]


async def test_a_credential_can_be_read_with_its_key_and_counts_its_changes(store, shop, change):
    await store.put(shop, deed=DEED)

    first, second = await change(), await change(secret=b"second")

    assert (first.version, second.version) == (1, 2)
    [kept] = await store.credentials()
    assert kept == second
    assert KeyRing([OLD]).open(kept).secret == b"second"


async def test_no_secret_is_in_the_database(store, shop, change, database):
    await store.put(shop, deed=DEED)
    await change(secret=b"hush-hush")

    async with database.reading() as connection:
        [row] = list(await connection.execute(sa.select(CREDENTIALS)))
    assert "hush" not in str(row)
    assert all("hush" not in str(each) for each in await deeds(database))


async def test_who_change_at_the_same_time_make_one_version_each(store, shop, change):
    await store.put(shop, deed=DEED)

    made = await asyncio.gather(*(change(secret=bytes([n])) for n in range(8)))

    assert sorted(each.version for each in made) == list(range(1, 9))
    [kept] = await store.credentials()
    assert kept.version == 8
    assert KeyRing([OLD]).open(kept)


async def test_only_apps_that_are_there_have_credentials_and_the_default_one_is(
    store, change, database
):
    with pytest.raises(AppNotFound):
        await change("nowhere")
    await change(DEFAULT_APP)

    assert [each.app_id for each in await store.credentials()] == [DEFAULT_APP]
    assert await deeds(database) == [DEED]


async def test_removing_an_app_takes_its_credentials_and_no_others(store, shop, change, clock):
    await store.put(shop, deed=DEED)
    await store.put(replace(shop, id="cafe"), deed=DEED)
    await change("shop")
    await change("cafe")

    assert await store.remove("shop", deed=DEED, now=clock.now())
    assert not await store.remove("shop", deed=DEED, now=clock.now())

    assert [each.id for each in await store.all()] == ["cafe"]
    assert [each.app_id for each in await store.credentials()] == ["cafe"]


async def test_what_changes_nothing_is_not_recorded(store, clock, database):
    assert not await store.remove("shop", deed=DEED, now=clock.now())
    assert not await store.forget("shop", FCM, deed=DEED, now=clock.now())

    assert await deeds(database) == []


async def test_forgetting_takes_one_credential(store, shop, change, clock, database):
    await store.put(shop, deed=DEED)
    await change(provider=FCM)
    await change(provider=APNS)

    assert await store.forget("shop", FCM, deed=DEED, now=clock.now())

    assert [each.provider for each in await store.credentials()] == [APNS]
    assert len(await deeds(database)) == 4


async def test_resealing_changes_only_what_is_under_another_key(store, shop, change, clock):
    await store.put(shop, deed=DEED)
    await change(provider=FCM)
    await change(provider=APNS, ring=KeyRing([NEW, OLD]))
    told = []

    def deed(kept):
        told.append(kept.provider)
        return DEED

    ring = KeyRing([NEW, OLD])
    assert await store.reseal(ring.reseal, deed=deed, now=clock.now()) == 1
    assert await store.reseal(ring.reseal, deed=deed, now=clock.now()) == 0

    assert told == [FCM]
    kept = await store.credentials()
    assert {each.key_id for each in kept} == {"new"}
    assert [KeyRing([NEW]).open(each).secret for each in kept] == [b"first", b"first"]
