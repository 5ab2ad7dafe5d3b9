"""Provider tokens as APNs checks them: ES256, at most an hour old, not renewed too often."""

from dataclasses import dataclass
from typing import Any

import jwt
import jwt.types

from kernel.clock import Clock
from notifications.sandbox.credentials import Files

LIFETIME = 3600
"""Seconds after which a provider token has expired."""
RENEWAL = 20 * 60
"""Seconds that must lie between two updates of the provider token on one connection."""
_SKEW = 60
_REMEMBERED = 1000


@dataclass(slots=True)
class ApnsSession:
    """What APNs remembers about a connection."""

    bearer: str = ""
    updated_at: float = float("-inf")
    team: str = ""
    trusted: bool = False
    bad_addresses: int = 0


class ProviderTokens:
    """Says what is wrong with a request's provider token."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._files: Files | None = None
        self._key: Any = None
        self._verified: dict[str, tuple[str, float]] = {}

    def trust(self, files: Files) -> None:
        """Accept tokens signed with this key."""
        self._files = files
        algorithm = jwt.get_algorithm_by_name("ES256")
        self._key = algorithm.prepare_key(files.apns_key.read_bytes()).public_key()

    def reason_against(self, authorization: str | None, session: ApnsSession) -> str | None:
        """Why this request is refused; what is good is remembered in the session."""
        if not authorization:
            return "MissingProviderToken"
        scheme, _, bearer = authorization.partition(" ")
        verified = self._verified.get(bearer) or self._verify(bearer)
        if scheme.lower() != "bearer" or verified is None:
            return "InvalidProviderToken"
        team, issued = verified
        now = self._clock.now().timestamp()
        if issued > now + _SKEW:
            return "InvalidProviderToken"
        if now - issued > LIFETIME:
            return "ExpiredProviderToken"
        if session.trusted and team != session.team:
            return "InvalidProviderToken"
        if session.trusted and bearer != session.bearer:
            # A connection's first token is no update, however young the connection is.
            updated = self._clock.monotonic()
            if updated - session.updated_at < RENEWAL:
                return "TooManyProviderTokenUpdates"
            session.updated_at = updated
        session.bearer = bearer
        session.team = team
        session.trusted = True
        return None

    def _verify(self, bearer: str) -> tuple[str, float] | None:
        """Team and age of a token with a good signature."""
        assert self._files is not None, "trust() comes first"
        options: jwt.types.Options = {"require": ["iss", "iat"], "verify_iat": False}
        try:
            if jwt.get_unverified_header(bearer).get("kid") != self._files.key_id:
                return None
            claims = jwt.decode(bearer, self._key, algorithms=["ES256"], options=options)
        except jwt.InvalidTokenError:
            return None
        issued = claims["iat"]
        if claims["iss"] != self._files.team_id or not isinstance(issued, int | float):
            return None
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[bearer] = verified = (claims["iss"], float(issued))
        return verified
