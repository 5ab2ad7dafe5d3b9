"""Which credential an app shows: the newest that can be read."""

from dataclasses import replace

import pytest

from notifications.adapters.sql_apps import SqlApps
from notifications.apps.book import CredentialBook
from notifications.apps.sealing import KeyRing, make_key
from notifications.apps.types import Credential, ProviderName
from notifications.audit.types import Deed
from notifications.types import DEFAULT_APP

KEY = make_key("k")
FCM = ProviderName.FCM
OURS = (DEFAULT_APP, FCM)
IN_SETTINGS = Credential(FCM, b"of the settings", {"project_id": "main"})
OF_ITS_OWN = Credential(FCM, b"of its own", {"project_id": "main"})
DEED = Deed("key:1", "credential.changed", "app:default")


class Settings:
    """Files that a test can change, or break."""

    def __init__(self):
        self.credentials = [IN_SETTINGS]
        self.broken = None

    def __call__(self):
        if self.broken is not None:
            raise self.broken
        return self.credentials


@pytest.fixture
def settings():
    return Settings()


@pytest.fixture
def store(sqlite_database):
    return SqlApps(sqlite_database)


@pytest.fixture
def book(store, settings):
    return CredentialBook(store=store, ring=KeyRing([KEY]), settings=settings)


async def keep(store, clock, credential, *, key=KEY):
    def seal(version):
        ring = KeyRing([key])
        return ring.seal(credential, app_id=DEFAULT_APP, version=version, changed_at=clock.now())

    return await store.change(DEFAULT_APP, FCM, seal, deed=DEED, now=clock.now())


async def shown(book):
    return (await book.all())[OURS].credential


async def test_its_own_credential_comes_before_that_of_the_settings(book, store, clock):
    assert await shown(book) == IN_SETTINGS

    await keep(store, clock, OF_ITS_OWN)
    assert await shown(book) == OF_ITS_OWN

    await store.forget(DEFAULT_APP, FCM, deed=DEED, now=clock.now())
    assert await shown(book) == IN_SETTINGS


async def test_a_file_that_changes_is_followed(book, settings):
    before = (await book.all())[OURS].mark
    settings.credentials = [replace(IN_SETTINGS, secret=b"another")]

    after = (await book.all())[OURS]

    assert after.credential.secret == b"another"
    assert after.mark != before


@pytest.mark.parametrize("why", [FileNotFoundError("gone"), ValueError("half a file")])
async def test_while_a_file_cannot_be_read_what_was_good_goes_on(book, settings, why, caplog):
    await book.all()
    settings.broken = why

    assert await shown(book) == IN_SETTINGS
    assert await shown(book) == IN_SETTINGS

    assert [each.message for each in caplog.records] == ["credentials cannot be read"]


async def test_a_start_with_files_that_are_wrong_fails(book, settings):
    settings.broken = ValueError("not a key")

    with pytest.raises(ValueError, match="not a key"):
        await book.open()


async def test_a_credential_under_an_unknown_key_leaves_the_earlier_one(book, store, clock, caplog):
    await keep(store, clock, OF_ITS_OWN)
    assert await shown(book) == OF_ITS_OWN
    await keep(store, clock, replace(OF_ITS_OWN, secret=b"newer"), key=make_key("unknown"))

    assert await shown(book) == OF_ITS_OWN
    assert await shown(book) == OF_ITS_OWN

    [complaint] = caplog.records
    assert (complaint.app, complaint.provider) == OURS
    assert "newer" not in str(vars(complaint))
