"""What passes for a credential, and how little is said of what does not."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kernel.errors import InvalidInput
from notifications.apps.options import GOOGLE
from notifications.apps.reading import apns_credential, fcm_credential, webpush_credential
from tests.support.credentials import ec_pem, pem_of, service_account

IDS = {"key_id": "AB12CD34EF", "team_id": "TEAM000000", "topic": "dz.zaffa.shop"}
P384 = pem_of(ec.generate_private_key(ec.SECP384R1()))


def fcm(secret):
    return fcm_credential(secret, token_uris=GOOGLE)


def test_a_service_account_says_whose_it_is():
    read = fcm(service_account("shop"))

    assert read.details == {
        "project_id": "shop",
        "client_email": "push@shop.example",
        "private_key_id": "shop-key",
    }


def test_another_key_has_another_fingerprint_and_the_same_has_the_same():
    first, second = ec_pem(), ec_pem()

    assert apns_credential(first, **IDS).fingerprint == apns_credential(first, **IDS).fingerprint
    assert apns_credential(first, **IDS).fingerprint != apns_credential(second, **IDS).fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key": "hush-hush"},
        {"private_key": ec_pem().decode()},
        {"project_id": "a/../b"},
        {"client_email": "nobody"},
        {"token_uri": "http://169.254.169.254/token"},
    ],
)
def test_a_service_account_that_is_none_is_refused_without_being_quoted(changes):
    with pytest.raises(InvalidInput) as refused:
        fcm(service_account(**changes))

    assert refused.value.details["field"] == "secret"
    assert not any(value in refused.value.message for value in changes.values())


@pytest.mark.parametrize("secret", [b"", b"{}", b"[]", b"hush-hush", b"\xff"])
def test_what_is_no_service_account_is_refused_without_being_quoted(secret):
    with pytest.raises(InvalidInput) as refused:
        fcm(secret)

    assert "hush" not in refused.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [("key_id", "short"), ("team_id", "lower00000"), ("topic", ""), ("topic", "a b")],
)
def test_apple_keys_need_to_say_whose_they_are(field, value):
    with pytest.raises(InvalidInput) as refused:
        apns_credential(ec_pem(), **{**IDS, field: value})

    assert refused.value.details["field"] == field


@pytest.mark.parametrize("secret", [b"hush-hush", P384])
def test_signing_keys_are_on_p256(secret):
    with pytest.raises(InvalidInput):
        apns_credential(secret, **IDS)
    with pytest.raises(InvalidInput):
        webpush_credential(secret, subject="mailto:a@b.dz")


def test_a_vapid_key_says_what_browsers_subscribe_to():
    read = webpush_credential(ec_pem(), subject="mailto:a@b.dz")

    assert len(read.details["public_key"]) == 87


@pytest.mark.parametrize("subject", ["", "http://a.dz", "mailto:a", "https://[", "tel:1"])
def test_push_services_must_be_able_to_reach_the_sender(subject):
    with pytest.raises(InvalidInput):
        webpush_credential(ec_pem(), subject=subject)
