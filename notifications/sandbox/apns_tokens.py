"""Provider tokens as APNs checks them: ES256, at most an hour old, not renewed too often."""

from dataclasses import dataclass
from typing import Any, NamedTuple

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
    topic: str = ""
    trusted: bool = False
    bad_addresses: int = 0


class ProviderTokens:
    """Says what is wrong with a request's provider token."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self._verified: dict[str, _Verified] = {}

    def trust(self, files: Files) -> None:
        """Accept tokens signed with this key, beside those of others."""
        algorithm = jwt.get_algorithm_by_name("ES256")
        key = algorithm.prepare_key(files.apns_key.read_bytes()).public_key()
        self._keys[files.key_id] = _Key(key, files.team_id, files.topic)

    def revoke(self, files: Files) -> None:
        """Accept this key no more."""
        del self._keys[files.key_id]
        self._verified.clear()

    def reason_against(self, authorization: str | None, session: ApnsSession) -> str | None:
        """Why this request is refused; what is good is remembered in the session."""
        if not authorization:
            return "MissingProviderToken"
        scheme, _, bearer = authorization.partition(" ")
        verified = self._verified.get(bearer) or self._verify(bearer)
        if scheme.lower() != "bearer" or verified is None:
            return "InvalidProviderToken"
        team, issued = verified.key.team, verified.issued
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
        session.topic = verified.key.topic
        session.trusted = True
        return None

    def _verify(self, bearer: str) -> "_Verified | None":
        """Key and age of a token with a good signature."""
        options: jwt.types.Options = {"require": ["iss", "iat"], "verify_iat": False}
        try:
            key = self._keys.get(str(jwt.get_unverified_header(bearer).get("kid")))
            if key is None:
                return None
            claims = jwt.decode(bearer, key.public, algorithms=["ES256"], options=options)
        except jwt.InvalidTokenError:
            return None
        issued = claims["iat"]
        if claims["iss"] != key.team or not isinstance(issued, int | float):
            return None
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[bearer] = verified = _Verified(key, float(issued))
        return verified


class _Key(NamedTuple):
    """A signing key, and what it may be used for."""

    public: Any
    team: str
    topic: str


class _Verified(NamedTuple):
    """A token that is good but for its age."""

    key: _Key
    issued: float
