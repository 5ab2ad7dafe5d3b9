"""Signed ids: who shows one has received the push it names. Pure."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from uuid import UUID

_PROOF_BYTES = 16
_SIGNED = re.compile(r"[A-Za-z0-9_-]{43}")


class ReportSigner:
    """Signs with the first key and trusts any; without a key nothing is signed or trusted.

    The keys are made from secrets that serve other ends as well, and tell nothing of them.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [
            hmac.digest(each.encode(), b"zaffa reports of pushes", "sha256") for each in secrets
        ]

    def signed(self, push_id: UUID) -> str:
        """The id that goes with a push: 43 characters, or none."""
        if not self._keys:
            return ""
        return urlsafe_b64encode(push_id.bytes + _proof(self._keys[0], push_id.bytes)).decode()[:43]

    def named(self, report_id: str) -> UUID | None:
        """The push that a signed id names; None if nobody of ours signed it."""
        if not _SIGNED.fullmatch(report_id):
            return None
        raw = urlsafe_b64decode(report_id + "=")
        name, proof = raw[:16], raw[16:]
        for key in self._keys:
            if hmac.compare_digest(proof, _proof(key, name)):
                return UUID(bytes=name)
        return None


def _proof(key: bytes, name: bytes) -> bytes:
    return hmac.digest(key, name, hashlib.sha256)[:_PROOF_BYTES]
