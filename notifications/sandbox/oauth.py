"""FCM's token endpoint: a signed assertion in, a bearer for an hour out (RFC 7523)."""

import json
import secrets
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
        self._expiry: dict[str, datetime] = {}
        self._account: dict[str, str] = {}
        self._key: Any = None

    def trust(self, files: Files) -> None:
        """Accept assertions signed with this key file."""
        self._account = json.loads(files.service_account.read_bytes())
        algorithm = jwt.get_algorithm_by_name("RS256")
        self._key = algorithm.prepare_key(self._account["private_key"]).public_key()

    def expire(self) -> None:
        """End the life of every bearer given out so far."""
        now = self._clock.now()
        for bearer in self._expiry:
            self._expiry[bearer] = now

    def problem(self, authorization: str) -> str | None:
        """What is wrong with a request's bearer: None, "EXPIRED" or "UNKNOWN"."""
        scheme, _, bearer = authorization.partition(" ")
        expiry = self._expiry.get(bearer)
        if scheme.lower() != "bearer" or expiry is None:
            return "UNKNOWN"
        return "EXPIRED" if expiry <= self._clock.now() else None

    def answer(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(405)
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != [_GRANT]:
            return _refused("unsupported_grant_type", f"Invalid grant_type: {_GRANT} expected")
        problem = self._problem_of(form.get("assertion", [""])[0])
        if problem:
            return _refused("invalid_grant", problem)
        if fault := self._faults.find("oauth", self._account["client_email"]):
            if lost := of_connection(fault):
                return lost
            if fault.outcome == "UNAVAILABLE":
                return Response(503, b"<html>Service Unavailable</html>", (), delay=fault.delay)
            return _refused(fault.outcome, "Scripted.")
        bearer = "ya29." + secrets.token_urlsafe(96)
        self._expiry[bearer] = self._clock.now() + timedelta(seconds=LIFETIME)
        self.issued += 1
        return json_response(
            200, {"access_token": bearer, "expires_in": LIFETIME, "token_type": "Bearer"}
        )

    def _problem_of(self, assertion: str) -> str:
        """Why an assertion is refused; empty when it is good."""
        required = ["iss", "aud", "iat", "exp"]
        # The instants are checked below, against this sandbox's own clock.
        options: jwt.types.Options = {"require": required, "verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(
                assertion,
                self._key,
                algorithms=["RS256"],
                audience=[self._account["token_uri"], _GOOGLE],
                issuer=self._account["client_email"],
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


def _refused(error: str, description: str) -> Response:
    return json_response(400, {"error": error, "error_description": description})
