"""The bearer that FCM asks for: one at a time, renewed before it ends, never fetched twice."""

import asyncio
import random

import aiohttp
import google.auth.jwt
import msgspec
from google.oauth2.service_account import Credentials

from kernel.backoff import Backoff
from kernel.clock import Clock
from notifications.types import Outcome, Verdict

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_RENEW_AT = (0.75, 0.80)
"""Where in its life a bearer is renewed; spread, so that nodes do not do it at once."""
_MARGIN = 30.0
"""Seconds before its end from which a bearer is no longer used."""
_REFUSED_PAUSE = 60.0
_BACKOFF = Backoff(first=1.0, cap=60.0)


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: float


class _Refusal(msgspec.Struct):
    error: str = ""


class Bearers:
    """Keeps one bearer fresh. Failures are outcomes: no push that needs one was sent."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        token_uri: str,
        session: aiohttp.ClientSession,
        clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._token_uri = token_uri
        self._session = session
        self._clock = clock
        self._bearer = ""
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._failure = Outcome(Verdict.NOT_SENT, "no bearer yet")
        self._failures = 0
        self._pause_until = float("-inf")
        self._renewing: asyncio.Task[None] | None = None

    async def current(self) -> str | Outcome:
        """A good bearer, or why there is none."""
        now = self._clock.monotonic()
        if self._bearer and now < self._expires_at:
            if now >= self._renew_at and now >= self._pause_until:
                # The old one is good for a while; nobody has to wait.
                self._start()
            return self._bearer
        if now >= self._pause_until:
            await asyncio.shield(self._start())
            if self._bearer and self._clock.monotonic() < self._expires_at:
                return self._bearer
        return self._failure

    def refuse(self, bearer: str) -> None:
        """FCM refused this one: whatever its age, it is over."""
        if bearer == self._bearer:
            self._bearer = ""

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    def _start(self) -> asyncio.Task[None]:
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(), name="fcm:bearer")
            self._renewing.add_done_callback(self._finished)
        return self._renewing

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._renewing = None

    async def _renew(self) -> None:
        asked = self._clock.monotonic()
        try:
            form = {"grant_type": _GRANT, "assertion": self._assertion()}
            async with self._session.post(self._token_uri, data=form, allow_redirects=False) as got:
                status, body = got.status, await got.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as lost:
            self._failed(Verdict.NOT_SENT, f"token endpoint: {type(lost).__name__}: {lost}")
            return
        if status == 200:
            try:
                grant = msgspec.json.decode(body, type=_Grant)
            except msgspec.MsgspecError:
                self._failed(Verdict.NOT_SENT, "token endpoint: unreadable answer")
                return
            self._bearer = grant.access_token
            self._renew_at = asked + grant.expires_in * random.uniform(*_RENEW_AT)  # noqa: S311
            self._expires_at = asked + max(grant.expires_in - _MARGIN, 1.0)
            self._failures = 0
        elif status in (400, 401, 403):
            self._failed(Verdict.MISCONFIGURED, _error_of(body) or f"token endpoint: HTTP {status}")
        else:
            self._failed(Verdict.NOT_SENT, f"token endpoint: HTTP {status}")

    def _assertion(self) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._credentials.service_account_email,
            "scope": _SCOPE,
            "aud": self._token_uri,
            "iat": now,
            "exp": now + 3600,
        }
        encoded: bytes = google.auth.jwt.encode(  # type: ignore[no-untyped-call]
            self._credentials.signer, claims
        )
        return encoded.decode("ascii")

    def _failed(self, verdict: Verdict, reason: str) -> None:
        self._failures += 1
        refused = verdict is Verdict.MISCONFIGURED
        pause = _REFUSED_PAUSE if refused else _BACKOFF.delay(self._failures)
        self._pause_until = self._clock.monotonic() + pause
        self._failure = Outcome(verdict, reason, retry_after=pause)


def _error_of(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Refusal).error
    except msgspec.MsgspecError:
        return ""
