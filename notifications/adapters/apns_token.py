"""The provider token (JWT) that APNs asks for: one per key and process, whoever sends."""

import jwt
from aioapns.connection import AuthorizationHeaderProvider

from kernel.clock import Clock

RENEW_AFTER = 50 * 60.0
"""Seconds; a token older than an hour is refused."""
AT_LEAST = 20 * 60.0
"""Seconds between two tokens, or APNs refuses the connection."""


class ProviderToken(AuthorizationHeaderProvider):
    """Mints a token when the last one is getting old, never twice within 20 minutes."""

    def __init__(self, *, key: str, key_id: str, team_id: str, clock: Clock) -> None:
        self._key = key
        self._key_id = key_id
        self._team_id = team_id
        self._clock = clock
        self._header = ""
        self._minted_at = float("-inf")

    def get_header(self) -> str:
        if self._clock.monotonic() - self._minted_at >= RENEW_AFTER:
            self._mint()
        return self._header

    def renew(self, refused: str) -> bool:
        """APNs called this header expired: whether there is, or now is, a newer one."""
        if refused != self._header:
            return True
        if self._clock.monotonic() - self._minted_at < AT_LEAST:
            return False
        self._mint()
        return True

    def _mint(self) -> None:
        self._minted_at = self._clock.monotonic()
        claims = {"iss": self._team_id, "iat": int(self._clock.now().timestamp())}
        token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})
        self._header = f"bearer {token}"
