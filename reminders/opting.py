"""The link with which a guest has no more questions asked, without a login. Pure."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from kernel.ids import UserId, is_user_id

PATH = "/v1/opt-outs/"

_PROOF_BYTES = 16
_LONGEST = 320
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def is_trusted(base: str) -> bool:
    """Whether links that begin so reach our server and nobody between: over https, or here."""
    address = urlsplit(base)
    if address.scheme == "http":
        return address.hostname in _HERE
    return address.scheme == "https" and bool(address.hostname)


class OptOutSigner:
    """Signs with the first key and trusts any; without a key nothing is signed or trusted.

    A link never ends: whoever wants to be left alone may say so whenever they find it. The keys
    are made from secrets that serve other ends as well, and tell nothing of them.
    """

    def __init__(self, secrets: Sequence[str] = (), *, base: str = "") -> None:
        self._base = base.rstrip("/")
        self._keys = [
            hmac.digest(each.encode(), b"zaffa opt-outs of guests", "sha256") for each in secrets
        ]

    def link(self, user_id: UserId, event_id: UUID) -> str:
        """The whole address that a guest gets; none without a base that they could trust."""
        token = self.token(user_id, event_id)
        return f"{self._base}{PATH}{token}" if token and is_trusted(self._base) else ""

    def token(self, user_id: UserId, event_id: UUID) -> str:
        """What ends the link: text for an address, or none."""
        if not self._keys:
            return ""
        said = event_id.bytes + user_id.encode()
        return urlsafe_b64encode(said + _proof(self._keys[0], said)).decode().rstrip("=")

    def named(self, token: str) -> tuple[UserId, UUID] | None:
        """Whom a token of ours is about, and in which event; None for anything else."""
        if len(token) > _LONGEST:
            return None
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            said, proof = raw[:-_PROOF_BYTES], raw[-_PROOF_BYTES:]
            trusted = [hmac.compare_digest(proof, _proof(key, said)) for key in self._keys]
            user_id = said[16:].decode()
        except ValueError:
            return None
        if not any(trusted) or not is_user_id(user_id):
            return None
        return UserId(user_id), UUID(bytes=said[:16])


def _proof(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, said, "sha256")[:_PROOF_BYTES]
