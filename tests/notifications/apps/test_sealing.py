"""What is kept of credentials can be read with its key alone, and only as what it was."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from notifications.apps.errors import NoSealingKey, SealBroken
from notifications.apps.options import CredentialOptions
from notifications.apps.sealing import KeyRing, make_key
from notifications.apps.types import Credential, ProviderName

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECRET = b"-----BEGIN PRIVATE KEY----- very secret"
APNS = Credential(ProviderName.APNS, SECRET, {"key_id": "K", "team_id": "T", "topic": "app"})
OLD, NEW = make_key("old"), make_key("new")


def sealed(ring=None, *, version=1):
    ring = ring or KeyRing([OLD])
    return ring.seal(APNS, app_id="shop", version=version, changed_at=NOW)


def test_what_was_sealed_opens_as_what_it_was():
    assert KeyRing([OLD]).open(sealed()) == APNS


def test_a_seal_shows_nothing_of_the_secret_and_no_two_are_alike():
    first, second = sealed(), sealed()

    assert SECRET not in first.sealed
    assert first.sealed != second.sealed
    assert "secret" not in repr(APNS)
    assert repr(first.sealed)[2:-1] not in repr(first)


@pytest.mark.parametrize(
    "change",
    [
        {"app_id": "cafe"},
        {"provider": ProviderName.WEBPUSH},
        {"version": 2},
        {"sealed": b"short"},
        {"sealed": bytes(100)},
        {"key_id": "unknown"},
    ],
)
def test_nothing_else_opens_it(change):
    with pytest.raises(SealBroken) as broken:
        KeyRing([OLD]).open(replace(sealed(), **change))

    assert "secret" not in str(broken.value)


def test_the_first_key_seals_and_every_key_opens():
    before = sealed()
    ring = KeyRing([NEW, OLD])

    assert ring.open(before) == APNS
    assert sealed(ring).key_id == "new"


def test_resealing_frees_the_earlier_key():
    anew = KeyRing([NEW, OLD]).reseal(sealed())

    assert anew is not None
    assert KeyRing([NEW]).open(anew) == APNS
    assert KeyRing([NEW]).reseal(anew) is None
    assert (anew.version, anew.fingerprint) == (1, APNS.fingerprint)


def test_without_a_key_nothing_is_sealed():
    with pytest.raises(NoSealingKey):
        sealed(KeyRing([]))


@pytest.mark.parametrize(
    "keys",
    [
        ("nokey",),
        ("id:short",),
        (":" + OLD.partition(":")[2],),
        (OLD, OLD),
        ("x" * 65 + ":" + OLD.partition(":")[2],),
    ],
)
def test_keys_that_are_none_stop_the_start_without_being_shown(keys):
    with pytest.raises(ValueError, match=r"^keys must") as refused:
        CredentialOptions(keys=keys)

    assert keys[0] not in str(refused.value)
    assert OLD not in repr(CredentialOptions(keys=(OLD,)))
