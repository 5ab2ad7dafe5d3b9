"""Keys that sign access tokens, and the published sets (JWKS, RFC 7517) they come in."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from kernel.clock import Clock

log = logging.getLogger(__name__)

_DOCUMENT_BYTES = 1_000_000
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the one family of algorithms it may check: never another one's."""

    id: str
    family: str
    material: Any

    def fits(self, algorithm: str, key_id: str) -> bool:
        """Whether a token that names `key_id` may be signed with this; "" names none."""
        same = not self.id or not key_id or self.id == key_id
        return same and algorithm.startswith(self.family)


def public_key(key_id: str, material: Any) -> Key:
    """A key of an asymmetric family. Raises `ValueError` for any other."""
    match material:
        case RSAPublicKey():
            return Key(key_id, "RS", material)
        case EllipticCurvePublicKey():
            return Key(key_id, "ES", material)
        case Ed25519PublicKey() | Ed448PublicKey():
            return Key(key_id, "EdDSA", material)
        case _:
            raise ValueError(f"{type(material).__name__} cannot sign access tokens")


def key_in_pem(key_id: str, pem: bytes) -> Key:
    """The public key in a PEM file. Raises `ValueError` if there is none that we use."""
    return public_key(key_id, load_pem_public_key(pem))


class PublishedKeys:
    """The keys at a URL. They are kept when the URL fails, and asked for again when needed.

    However many tokens wait for them, one request is made; after it, whatever came of it, the
    next one is made no sooner than `pause_seconds` later.
    """

    def __init__(self, url: str, *, clock: Clock, pause_seconds: float, age_seconds: float) -> None:
        self._url = url
        self._clock = clock
        self._pause = pause_seconds
        self._age = age_seconds
        self._keys: Sequence[Key] = ()
        self._asked_at = float("-inf")
        self._fetched_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def keys(self) -> Sequence[Key]:
        """The keys as we know them. Who finds them old asks; others need not wait for it."""
        old = self._clock.monotonic() - self._fetched_at >= self._age
        if old and not self._fetching.locked():
            await self.refresh()
        return self._keys

    async def refresh(self) -> bool:
        """Ask for the keys, unless that was done a moment ago; whether they are fresh now.

        Once they are, a key that is missing does not exist.
        """
        wanted_at = self._clock.monotonic()
        async with self._fetching:
            if self._clock.monotonic() - self._asked_at >= self._pause:
                self._asked_at = self._clock.monotonic()
                try:
                    self._keys = _keys_in(await self._fetch())
                except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                    reason = f"{type(error).__name__}: {error}"
                    log.warning("token keys not fetched", extra={"error": reason})
                else:
                    self._fetched_at = self._asked_at
        return self._fetched_at >= wanted_at

    async def _fetch(self) -> bytes:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(self._url, raise_for_status=True) as response,
        ):
            document = b""
            async for part in response.content.iter_any():
                document += part
                if len(document) > _DOCUMENT_BYTES:
                    raise ValueError("the document is too large")
            return document


class _Set(msgspec.Struct):
    keys: list[dict[str, Any]]


def _keys_in(document: bytes) -> list[Key]:
    """The keys we can use; a set may hold others, for encryption or of kinds to come."""
    found = []
    for each in msgspec.json.decode(document, type=_Set).keys:
        if each.get("use", "sig") != "sig":
            continue
        try:
            # A symmetric key that is published is no secret, and is refused here too.
            found.append(public_key(str(each.get("kid", "")), jwt.PyJWK(each).key))
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            log.info("token key left out", extra={"error": str(error)})
    return found
