"""Encryption for one browser (RFC 8188, RFC 8291) and the sender's proof (RFC 8292). Pure."""

import os
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kernel.clock import Clock
from notifications.subscriptions import Subscription, base64url

BODY_BYTES = 4096
"""What every push service carries, at most."""

_HEAD_BYTES = 16 + 4 + 1 + 65
_TAG_BYTES = 16
PLAIN_BYTES = BODY_BYTES - _HEAD_BYTES - _TAG_BYTES - 1
"""What is left of it for the message."""

_POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
_LIFETIME = 12 * 3600
"""Seconds a proof is good for; push services take up to 24 hours."""
_PROOFS = 1000


def encrypted(
    message: bytes,
    subscription: Subscription,
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes = b"",
) -> bytes:
    """The body of a push that only this browser can read, in one record of aes128gcm.

    Key and salt are new for each push; only tests choose them.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(16)
    own = key.public_key().public_bytes(*_POINT)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), subscription.p256dh)
    secret = key.exchange(ec.ECDH(), theirs)
    info = b"WebPush: info\0" + subscription.p256dh + own
    material = derived(secret, salt=subscription.auth, info=info, length=32)
    content_key = derived(material, salt=salt, info=b"Content-Encoding: aes128gcm\0", length=16)
    nonce = derived(material, salt=salt, info=b"Content-Encoding: nonce\0", length=12)
    head = salt + BODY_BYTES.to_bytes(4, "big") + bytes([len(own)]) + own
    # 2 marks the last record, and this is the only one.
    return head + AESGCM(content_key).encrypt(nonce, message + b"\x02", None)


def derived(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF with SHA-256."""
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


class Vapid:
    """Proves to push services who sends, with one signature per service and half a day."""

    def __init__(self, *, pem: bytes, subject: str, clock: Clock) -> None:
        """Raises ValueError for a key that is none of P-256."""
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError("the VAPID key must be an EC key on P-256")
        self._key = key
        self._subject = subject
        self._clock = clock
        self._proofs: dict[str, tuple[float, str]] = {}
        self.public_key = base64url(key.public_key().public_bytes(*_POINT))
        """What a web app passes to `pushManager.subscribe` as applicationServerKey."""

    def authorization(self, origin: str) -> str:
        """The Authorization header for this push service."""
        now = self._clock.monotonic()
        known = self._proofs.get(origin)
        if known is not None and now < known[0]:
            return known[1]
        if len(self._proofs) >= _PROOFS:
            self._proofs.clear()
        claims = {
            "aud": origin,
            "exp": int(self._clock.now().timestamp()) + _LIFETIME,
            "sub": self._subject,
        }
        token = jwt.encode(claims, self._key, algorithm="ES256")
        header = f"vapid t={token},k={self.public_key}"
        self._proofs[origin] = (now + _LIFETIME / 2, header)
        return header


def make_key(path: Path) -> str:
    """Write a new VAPID key, readable only by its owner; its public key. Never overwrites."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return base64url(key.public_key().public_bytes(*_POINT))
