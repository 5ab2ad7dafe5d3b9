"""Sealing credentials with AES-GCM, under keys that can themselves be replaced."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from notifications.apps.errors import NoSealingKey, SealBroken
from notifications.apps.options import KEY_BYTES, key_of
from notifications.apps.types import Credential, ProviderName, SealedCredential

_NONCE_BYTES = 12


class KeyRing:
    """Seals with the first key and opens with any. Never says a key or a secret."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._ciphers: Mapping[str, AESGCM] = {
            each.partition(":")[0]: AESGCM(key_of(each)) for each in keys
        }
        self._first = next(iter(self._ciphers), None)

    @property
    def first(self) -> str:
        """The id of the key that seals. Raises `NoSealingKey`."""
        if self._first is None:
            raise NoSealingKey("Set ZAFFA_CREDENTIALS_KEYS to keep credentials in the database.")
        return self._first

    def seal(
        self, credential: Credential, *, app_id: str, version: int, changed_at: datetime
    ) -> SealedCredential:
        """The credential as it may be kept. Raises `NoSealingKey`."""
        key_id, nonce = self.first, os.urandom(_NONCE_BYTES)
        # What is sealed for one app, provider and version cannot be passed off as another's.
        bound = _bound(app_id, credential.provider, version)
        return SealedCredential(
            app_id=app_id,
            provider=credential.provider,
            version=version,
            key_id=key_id,
            sealed=nonce + self._ciphers[key_id].encrypt(nonce, credential.secret, bound),
            details=credential.details,
            fingerprint=credential.fingerprint,
            changed_at=changed_at,
        )

    def open(self, kept: SealedCredential) -> Credential:
        """The credential itself. Raises `SealBroken`."""
        cipher = self._ciphers.get(kept.key_id)
        if cipher is None:
            raise SealBroken(
                "The key of this credential is not in the settings.", key_id=kept.key_id
            )
        bound = _bound(kept.app_id, kept.provider, kept.version)
        nonce, sealed = kept.sealed[:_NONCE_BYTES], kept.sealed[_NONCE_BYTES:]
        try:
            secret = cipher.decrypt(nonce, sealed, bound)
        except (InvalidTag, ValueError):
            raise SealBroken(
                "This credential was not sealed with the key it names.", key_id=kept.key_id
            ) from None
        return Credential(kept.provider, secret, kept.details)

    def reseal(self, kept: SealedCredential) -> SealedCredential | None:
        """The same credential under the first key; None if it is under it already."""
        if kept.key_id == self.first:
            return None
        return self.seal(
            self.open(kept), app_id=kept.app_id, version=kept.version, changed_at=kept.changed_at
        )

    def wrapped(self, secret: str, *, bound: str) -> str:
        """Any other secret as it may be kept, bound to what it is for. Raises `NoSealingKey`."""
        key_id, nonce = self.first, os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[key_id].encrypt(nonce, secret.encode(), bound.encode())
        return f"{key_id}:{urlsafe_b64encode(sealed).decode()}"

    def unwrapped(self, kept: str, *, bound: str) -> str:
        """The secret itself. Raises `SealBroken`."""
        key_id, _, text = kept.rpartition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken("The key of this secret is not in the settings.", key_id=key_id)
        sealed = urlsafe_b64decode(text)
        try:
            nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return cipher.decrypt(nonce, rest, bound.encode()).decode()
        except (InvalidTag, ValueError):
            raise SealBroken(
                "This secret was not sealed with the key it names.", key_id=key_id
            ) from None

    def rewrapped(self, kept: str, *, bound: str) -> str:
        """The same secret under the first key; as it is, if it is under it already."""
        if kept.rpartition(":")[0] == self.first:
            return kept
        return self.wrapped(self.unwrapped(kept, bound=bound), bound=bound)


def make_key(key_id: str) -> str:
    """A new key, as the settings want it."""
    return f"{key_id}:{urlsafe_b64encode(os.urandom(KEY_BYTES)).decode().rstrip('=')}"


def _bound(app_id: str, provider: ProviderName, version: int) -> bytes:
    return "\0".join(("zaffa credential", app_id, provider, str(version))).encode()
