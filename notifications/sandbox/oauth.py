"""FCM's token endpoint: a signed assertion in, a bearer for an hour out (RFC 7523)."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import jwt
import jwt.types

from kernel.clock import Clock
from notifications.sandbox.credentials import Files
from notifications.sandbox.faults import Faults, of_connection
from notifications.sandbox.http import Request, Response, json_response

LIFETIME = 3599
"""Seconds that a bearer is good for."""

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SCOPES = frozenset(
    {
        "https://www.googleapis.com/auth/firebase.messaging",
        "https://www.googleapis.com/auth/cloud-platform",
    }
)
_GOOGLE = "https://oauth2.googleapis.com/token"
"""google-auth names this audience wherever it sends the assertion."""
_SKEW = timedelta(minutes=5)


class TokenEndpoint:
    """Gives out bearers, and knows which of them are still good."""

    def __init__(self, *, faults: Faults, clock: Clock) -> None:
        self.issued = 0
        self._faults = faults
        self._clock = clock
        self._bearers: dict[str, _Bearer] = {}
        self._accounts: dict[str, _Account] = {}

    def trust(self, files: Files) -> None:
        """Accept assertions signed with this key file, beside those of others."""
        account = json.loads(files.service_account.read_bytes())
        algorithm = jwt.get_algorithm_by_name("RS256")
        key = algorithm.prepare_key(account["private_key"]).public_key()
        self._accounts[account["private_key_id"]] = _Account(account, key)

    def revoke(self, files: Files) -> None:
        """Accept this key file no more, nor the bearers that were given out for it."""
        key_id = json.loads(files.service_account.read_bytes())["private_key_id"]
        account = self._accounts.pop(key_id)
        self._bearers = {
            each: bearer for each, bearer in self._bearers.items() if bearer.account is not account
        }

    def project_of(self, authorization: str) -> str:
        """The project of a request's bearer; empty for one that was never given out."""
        bearer = self._bearers.get(authorization.partition(" ")[2])
        return bearer.account.file["project_id"] if bearer else ""

    def expire(self) -> None:
        """End the life of every bearer given out so far."""
        now = self._clock.now()
        for bearer in self._bearers.values():
            bearer.expires_at = now

    def problem(self, authorization: str) -> str | None:
        """What is wrong with a request's bearer: None, "EXPIRED" or "UNKNOWN"."""
        scheme, _, bearer = authorization.partition(" ")
        known = self._bearers.get(bearer)
        if scheme.lower() != "bearer" or known is None:
            return "UNKNOWN"
        return "EXPIRED" if known.expires_at <= self._clock.now() else None

    def answer(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(405)
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != [_GRANT]:
            return _refused("unsupported_grant_type", f"Invalid grant_type: {_GRANT} expected")
        assertion = form.get("assertion", [""])[0]
        account = self._account_of(assertion)
        problem = self._problem_of(assertion, account)
        if problem:
            return _refused("invalid_grant", problem)
        if fault := self._faults.find("oauth", account.file["client_email"]):
            if lost := of_connection(fault):
                return lost
            if fault.outcome == "UNAVAILABLE":
                return Response(503, b"<html>Service Unavailable</html>", (), delay=fault.delay)
            return _refused(fault.outcome, "Scripted.")
        bearer = "ya29." + secrets.token_urlsafe(96)
        expires_at = self._clock.now() + timedelta(seconds=LIFETIME)
        self._bearers[bearer] = _Bearer(account, expires_at)
        self.issued += 1
        return json_response(
            200, {"access_token": bearer, "expires_in": LIFETIME, "token_type": "Bearer"}
        )

    def _account_of(self, assertion: str) -> "_Account":
        """Whose key an assertion names; any, if it names none that is known."""
        try:
            key_id = str(jwt.get_unverified_header(assertion).get("kid"))
        except jwt.InvalidTokenError:
            key_id = ""
        return self._accounts.get(key_id) or next(iter(self._accounts.values()))

    def _problem_of(self, assertion: str, account: "_Account") -> str:
        """Why an assertion is refused; empty when it is good."""
        required = ["iss", "aud", "iat", "exp"]
        # The instants are checked below, against this sandbox's own clock.
        options: jwt.types.Options = {"require": required, "verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(
                assertion,
                account.key,
                algorithms=["RS256"],
                audience=[account.file["token_uri"], _GOOGLE],
                issuer=account.file["client_email"],
                options=options,
            )
        except jwt.InvalidTokenError as refused:
            return f"Invalid JWT: {refused}"
        now = self._clock.now().timestamp()
        issued, expires = claims["iat"], claims["exp"]
        if not isinstance(issued, int | float) or not isinstance(expires, int | float):
            return "Invalid JWT: iat and exp must be numbers."
        if not issued - _SKEW.total_seconds() <= now < expires or expires > issued + 3600:
            return (
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim."
            )
        if _SCOPES.isdisjoint(str(claims.get("scope", "")).split()):
            return "Invalid OAuth scope or ID token audience provided."
        return ""


@dataclass(frozen=True, slots=True, eq=False)
class _Account:
    """A service account: its key file, and the public half of its key."""

    file: dict[str, str]
    key: Any


@dataclass(slots=True)
class _Bearer:
    """What was given out, and to whom."""

    account: _Account
    expires_at: datetime


def _refused(error: str, description: str) -> Response:
    return json_response(400, {"error": error, "error_description": description})
