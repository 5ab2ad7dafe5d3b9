"""What every token passes, without a library: its header, and signatures by a shared secret.

Clients come with a token each time they connect, and when all of them return at once this is
much of what there is to do. Everything is refused that is not a plain JWS of three parts.
"""

import binascii
import hmac
from functools import lru_cache
from typing import Final

import msgspec

DIGESTS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
"""The hash of each algorithm with a shared secret."""


class Header(msgspec.Struct, frozen=True):
    """How a token says that it is signed; "" is no key in particular."""

    alg: str
    kid: str = ""
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    b64: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_header = msgspec.json.Decoder(Header)


def header_of(token: str) -> Header:
    """The header of a token, unverified. Raises `ValueError` for what no token has."""
    if not token.isascii() or token.count(".") != 2:
        raise ValueError("a token has three parts")
    return _header_in(token[: token.index(".")])


@lru_cache(64)
def _header_in(part: str) -> Header:
    """Applications sign with few keys, so few headers are ever seen."""
    try:
        header = _header.decode(_bytes_of(part))
    except RecursionError:
        raise ValueError("the token's header is nested too deep") from None
    if header.crit is not msgspec.UNSET or header.b64 is not msgspec.UNSET:
        # What the signer calls critical must not be passed over, and we know none of it.
        raise ValueError("the token makes demands of its own")
    return header


def signed_by_secret(token: str, digest: str, secret: bytes) -> bytes | None:
    """The payload of a token with a good header, if it was signed with `secret`."""
    said, _, signature = token.rpartition(".")
    mac = _begun(secret, digest).copy()
    mac.update(said.encode())
    # What we would write is compared, so that no other spelling of it passes.
    expected = binascii.b2a_base64(mac.digest(), newline=False).translate(_TO_URL).rstrip(b"=")
    if not hmac.compare_digest(expected, signature.encode()):
        return None
    try:
        return _bytes_of(said.partition(".")[2])
    except ValueError:
        return None


@lru_cache(64)
def _begun(secret: bytes, digest: str) -> hmac.HMAC:
    """A signature before its text: looking the hash up and mixing in the secret cost the most."""
    return hmac.new(secret, digestmod=digest)


_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def _bytes_of(part: str) -> bytes:
    """Base 64 of URLs, without its padding. Raises `ValueError` for anything else."""
    text = part.encode().translate(_FROM_URL)
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
