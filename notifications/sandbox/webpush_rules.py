"""What a push service accepts, and what the browser behind it can read (RFC 8030, 8291, 8292)."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from urllib.parse import urlsplit

import jwt
import jwt.types
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

BODY_BYTES = 4096
LONGEST_PROOF = 24 * 3600

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_PROOF = re.compile(r"vapid\s+(.*)\Z", re.I)


class Refused(Exception):
    """The service answers with this status and says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def check_headers(headers: Mapping[str, str], body: bytes) -> None:
    """Raises `Refused` for a request that no push service takes."""
    ttl = headers.get("ttl", "")
    if not (ttl.isascii() and ttl.isdigit()):
        raise Refused(400, "missing or invalid TTL")
    if headers.get("urgency", "normal") not in _URGENCIES:
        raise Refused(400, "invalid Urgency")
    if "topic" in headers and not _TOPIC.match(headers["topic"]):
        raise Refused(400, "invalid Topic")
    if len(body) > BODY_BYTES:
        raise Refused(413, "payload too large")
    if body and headers.get("content-encoding") != "aes128gcm":
        raise Refused(400, "invalid Content-Encoding")


def check_proof(authorization: str, *, key: str, origin: str, now: float) -> None:
    """Raises `Refused` unless the sender proves to own the key of the subscription."""
    said = _PROOF.match(authorization)
    if said is None:
        raise Refused(401, "missing VAPID")
    fields = dict(each.strip().partition("=")[::2] for each in said[1].split(",") if "=" in each)
    token, shown = fields.get("t", ""), fields.get("k", "").rstrip("=")
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(shown))
        options: jwt.types.Options = {
            "require": ["aud", "exp"],
            "verify_exp": False,
            "verify_aud": False,
        }
        claims = jwt.decode(token, point, algorithms=["ES256"], options=options)
    except (ValueError, jwt.InvalidTokenError):
        raise Refused(401, "invalid VAPID signature") from None
    if shown != key:
        raise Refused(403, "the VAPID key is not the one the subscription was made with")
    if claims["aud"] != origin:
        raise Refused(403, "VAPID is for another push service")
    expires = claims["exp"]
    if not isinstance(expires, int | float) or not now < expires <= now + LONGEST_PROOF:
        raise Refused(403, "VAPID has expired, or lives for more than a day")
    contact = urlsplit(str(claims.get("sub", "")))
    if contact.scheme not in ("mailto", "https"):
        raise Refused(403, "VAPID names nobody to reach")


def decrypted(body: bytes, *, key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """What the browser reads. Raises `Refused` for what it could not."""
    if len(body) < 21 or len(body) < 21 + body[20] + 18 or body[20] != 65:
        raise Refused(400, "not aes128gcm")
    salt, size, theirs = body[:16], int.from_bytes(body[16:20], "big"), body[21:86]
    record = body[86:]
    if size < 18 or len(record) > size:
        raise Refused(400, "more than one record")
    try:
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
    except ValueError:
        raise Refused(400, "not aes128gcm") from None
    material = _hkdf(
        key.exchange(ec.ECDH(), sender),
        salt=auth,
        info=b"WebPush: info\0" + point_of(key) + theirs,
        length=32,
    )
    content_key = _hkdf(material, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    nonce = _hkdf(material, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
    try:
        padded = AESGCM(content_key).decrypt(nonce, record, None).rstrip(b"\0")
    except InvalidTag:
        raise Refused(400, "not encrypted for this subscription") from None
    if not padded.endswith(b"\x02"):
        raise Refused(400, "not the last record")
    return padded[:-1]


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key, uncompressed."""
    return key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def decoded(text: str) -> bytes:
    """From base64url without padding. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _hkdf(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)
