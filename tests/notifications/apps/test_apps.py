"""Who may do what with apps and credentials, and what is said of them."""

import pytest

from kernel.errors import Denied
from kernel.identity import Scope
from kernel.workers import Pulse
from notifications.adapters.sql_apps import SqlApps
from notifications.adapters.sql_audit import SqlAudit
from notifications.apps.apps import Apps
from notifications.apps.errors import CredentialNotFound, DefaultAppStays, NoSealingKey
from notifications.apps.reading import apns_credential
from notifications.apps.sealing import KeyRing, make_key
from notifications.apps.types import Credential, ProviderName
from notifications.audit.types import AuditQuery
from notifications.errors import AppNotFound
from notifications.types import DEFAULT_APP
from tests.support.credentials import ec_pem
from tests.support.factories_notifications import AMINA, server, user

OPERATOR = server(Scope.OPERATE)
KEY = make_key("k")
APNS = apns_credential(ec_pem(), key_id="AB12CD34EF", team_id="TEAM000000", topic="dz.shop")
IN_SETTINGS = Credential(ProviderName.FCM, b"hush-hush", {"project_id": "main"})


@pytest.fixture
def apps(sqlite_database, clock):
    return apps_of(sqlite_database, clock)


def apps_of(database, clock, *, keys=(KEY,)):
    return Apps(
        store=SqlApps(database),
        ring=KeyRing(keys),
        settings=lambda: [IN_SETTINGS],
        clock=clock,
        changed=Pulse(),
    )


async def deeds(database):
    page = await SqlAudit(database).page(AuditQuery(), before=None, limit=100)
    return [each.deed for each in page]


@pytest.mark.parametrize(
    "stranger", [user(AMINA), server(), server(*(set(Scope) - {Scope.OPERATE}))]
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda apps, who: apps.all(who),
        lambda apps, who: apps.put(who, "shop", name="Shop"),
        lambda apps, who: apps.remove(who, "shop"),
        lambda apps, who: apps.change_credential(who, DEFAULT_APP, APNS),
        lambda apps, who: apps.forget_credential(who, DEFAULT_APP, ProviderName.APNS),
        lambda apps, who: apps.reseal(who),
    ],
    ids=["all", "put", "remove", "change", "forget", "reseal"],
)
async def test_only_operators_may(apps, stranger, ask, sqlite_database):
    with pytest.raises(Denied):
        await ask(apps, stranger)

    assert await deeds(sqlite_database) == []


async def test_the_default_app_shows_what_the_settings_name_until_it_has_its_own(apps):
    [default] = await apps.all(OPERATOR)
    assert [each.version for each in default.credentials] == [None]

    await apps.change_credential(OPERATOR, DEFAULT_APP, APNS)

    [default] = await apps.all(OPERATOR)
    assert [(each.provider, each.version) for each in default.credentials] == [
        (ProviderName.APNS, 1),
        (ProviderName.FCM, None),
    ]


async def test_no_answer_and_no_record_holds_a_secret(apps, sqlite_database):
    await apps.put(OPERATOR, "shop", name="Shop")
    changed = await apps.change_credential(OPERATOR, "shop", APNS)

    told = str([changed, await apps.all(OPERATOR), await deeds(sqlite_database)])

    assert "hush" not in told
    assert "PRIVATE" not in told
    assert changed.details["topic"] == "dz.shop"


async def test_every_change_is_on_record(apps, sqlite_database, clock):
    for act in (
        apps.put(OPERATOR, "shop", name="Shop"),
        apps.change_credential(OPERATOR, "shop", APNS),
        apps_of(sqlite_database, clock, keys=(make_key("new"), KEY)).reseal(OPERATOR),
        apps.forget_credential(OPERATOR, "shop", ProviderName.APNS),
        apps.remove(OPERATOR, "shop"),
    ):
        await act
        clock.move(seconds=1)

    assert [(each.action, each.subject) for each in reversed(await deeds(sqlite_database))] == [
        ("app.put", "app:shop"),
        ("credential.changed", "app:shop"),
        ("credential.resealed", "app:shop"),
        ("credential.removed", "app:shop"),
        ("app.removed", "app:shop"),
    ]


async def test_what_is_not_there_is_not_changed(apps):
    with pytest.raises(AppNotFound):
        await apps.change_credential(OPERATOR, "shop", APNS)
    with pytest.raises(AppNotFound):
        await apps.remove(OPERATOR, "shop")
    with pytest.raises(CredentialNotFound):
        await apps.forget_credential(OPERATOR, DEFAULT_APP, ProviderName.FCM)


async def test_the_default_app_stays(apps):
    with pytest.raises(DefaultAppStays):
        await apps.remove(OPERATOR, DEFAULT_APP)
    with pytest.raises(DefaultAppStays):
        await apps.put(OPERATOR, DEFAULT_APP, name="x")


async def test_without_a_key_in_the_settings_nothing_is_kept(sqlite_database, clock):
    apps = apps_of(sqlite_database, clock, keys=())

    with pytest.raises(NoSealingKey, match="ZAFFA_CREDENTIALS_KEYS"):
        await apps.change_credential(OPERATOR, DEFAULT_APP, APNS)
    with pytest.raises(NoSealingKey):
        await apps.reseal(OPERATOR)
