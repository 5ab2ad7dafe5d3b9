"""Reading what providers gave out: is it what it should be, and what of it is no secret? Pure."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from kernel.errors import InvalidInput
from notifications.apps.types import Credential, ProviderName
from notifications.subscriptions import base64url

_APPLE_ID = re.compile(r"[A-Z0-9]{10}")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,154}")
_PROJECT = re.compile(r"[A-Za-z0-9:._-]{1,128}")


class _ServiceAccount(msgspec.Struct, frozen=True):
    """What is needed of a service account's file; further members are ignored."""

    project_id: str
    private_key: str
    private_key_id: str
    client_email: str
    token_uri: str


def fcm_credential(secret: bytes, *, token_uris: Sequence[str]) -> Credential:
    """A service account of Firebase. Raises `InvalidInput`, which quotes nothing of it.

    `token_uris` are where it may be sent: the file names the place, and whoever could choose
    it freely could have this server ask anything inside its network.
    """
    try:
        account = msgspec.json.decode(secret, type=_ServiceAccount)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidInput("secret", "must be the service account key file (JSON)") from None
    if not isinstance(_key_in(account.private_key.encode()), rsa.RSAPrivateKey):
        raise InvalidInput("secret", "must hold an RSA private key")
    if not _PROJECT.fullmatch(account.project_id) or "@" not in account.client_email:
        raise InvalidInput("secret", "must name its project and its client_email")
    if "*" not in token_uris and account.token_uri not in token_uris:
        raise InvalidInput("secret", "names a token_uri that ZAFFA_CREDENTIALS_TOKEN_URIS does not")
    return Credential(
        ProviderName.FCM,
        secret,
        {
            "project_id": account.project_id,
            "client_email": account.client_email,
            "private_key_id": account.private_key_id,
        },
    )


def apns_credential(secret: bytes, *, key_id: str, team_id: str, topic: str) -> Credential:
    """A signing key of Apple, and whose it is. Raises `InvalidInput`."""
    _demand_p256(secret)
    for name, text in (("key_id", key_id), ("team_id", team_id)):
        if not _APPLE_ID.fullmatch(text):
            raise InvalidInput(name, "must be ten capital letters and digits")
    if not _TOPIC.fullmatch(topic):
        raise InvalidInput("topic", "must be the app's bundle id")
    details = {"key_id": key_id, "team_id": team_id, "topic": topic}
    return Credential(ProviderName.APNS, secret, details)


def webpush_credential(secret: bytes, *, subject: str) -> Credential:
    """A VAPID key, and where push services reach its owner. Raises `InvalidInput`."""
    key = _demand_p256(secret)
    if not is_subject(subject):
        raise InvalidInput("subject", "must be mailto:… or https://…")
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    details = {"subject": subject, "public_key": base64url(point)}
    return Credential(ProviderName.WEBPUSH, secret, details)


def is_subject(text: str) -> bool:
    """Whether a push service would take this as a way to reach the sender."""
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    if url.scheme == "mailto":
        return "@" in url.path
    return url.scheme == "https" and bool(url.hostname)


def _demand_p256(secret: bytes) -> ec.EllipticCurvePrivateKey:
    key = _key_in(secret)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise InvalidInput("secret", "must be an EC private key on P-256, in PEM")
    return key


def _key_in(pem: bytes) -> PrivateKeyTypes | None:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
