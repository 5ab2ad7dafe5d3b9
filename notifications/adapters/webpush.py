"""Web Push: browsers' push services over one shared aiohttp session, proved by VAPID."""

import asyncio
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.options import option
from notifications.adapters.public_addresses import PrivateAddress, Resolver
from notifications.adapters.push_content import Unsendable
from notifications.adapters.webpush_answers import outcome_of
from notifications.adapters.webpush_check import SERVICES, TRIAL, answered, judged
from notifications.adapters.webpush_crypto import Vapid, encrypted
from notifications.adapters.webpush_guard import is_allowed
from notifications.adapters.webpush_message import headers_of, message_of
from notifications.apps.reading import is_subject
from notifications.apps.types import NOBODY, Survey
from notifications.ports import Landed, unheard
from notifications.subscriptions import subscription_of
from notifications.types import AddressKind, Attempt, Outcome, Route, Verdict
from notifications.vitals import Vitals

BROWSERS = (
    "https://fcm.googleapis.com",
    "https://updates.push.services.mozilla.com",
    "https://web.push.apple.com",
    "https://*.notify.windows.com",
)
"""The push services of Chrome and its relatives, Firefox, Safari and Edge."""

_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class WebPushOptions:
    """How to reach browsers. The key file holds the secret; the options do not."""

    key_file: str = option(
        "", "VAPID key (PEM), made by `zaffa vapid make FILE`. Empty: no Web Push."
    )
    subject: str = option("", "Where push services reach you: mailto:… or https://….")
    origins: tuple[str, ...] = option(
        BROWSERS, "Push services that may be used; `https://*.host` for subdomains, `*` for any."
    )
    own_service: str = option(
        "", "Origin of a push service of your own, which may be in a private network."
    )
    ca_file: str = option("", "Certificates to trust instead of the system's.")
    connections: int = option(100, "Connections at once, at most.")
    deadline: float = option(15.0, "Seconds until an answer is given up.")
    connect_within: float = option(10.0, "Seconds until a connection must stand.")

    def __post_init__(self) -> None:
        if self.key_file and not is_subject(self.subject):
            raise ValueError("key_file needs a subject, mailto:… or https://…")
        for origin in (*self.origins, *([self.own_service] if self.own_service else [])):
            if origin != "*" and not origin.startswith("https://"):
                raise ValueError("origins and own_service must be https origins")
        if self.connections < 1:
            raise ValueError("connections must be at least 1")
        if not 0 < self.connect_within <= self.deadline:
            raise ValueError("connect_within must be above 0 and at most deadline")


class WebPushProvider:
    """Carries pushes to browsers' subscriptions. One call, one attempt for each."""

    name = "webpush"
    carries = frozenset({AddressKind.WEBPUSH})

    def __init__(self, options: WebPushOptions, *, clock: Clock, key: bytes = b"") -> None:
        """`key` is the VAPID key itself, in place of the file of the options."""
        own = options.own_service
        self._options = options
        self._clock = clock
        self._key = key
        self._allowed = (*options.origins, *([own] if own else []))
        url = urlsplit(own)
        self._trusted = frozenset({(url.hostname or "", url.port or 443)} if own else ())
        self._session: aiohttp.ClientSession | None = None
        self._vapid: Vapid | None = None

    @property
    def vitals(self) -> Vitals:
        """The session keeps its connections to itself; each may carry one attempt."""
        return Vitals(slots=self._options.connections)

    async def open(self) -> None:
        """Read the key. Raises ValueError or OSError when it is not one."""
        options = self._options
        pem = self._key or await asyncio.to_thread(Path(options.key_file).read_bytes)
        self._vapid = Vapid(pem=pem, subject=options.subject, clock=self._clock)
        connector = aiohttp.TCPConnector(
            limit=options.connections,
            resolver=Resolver(trusted=self._trusted),
            ttl_dns_cache=60,
            ssl=ssl.create_default_context(cafile=options.ca_file or None),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=options.deadline, connect=options.connect_within),
        )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def check(self, survey: Survey = NOBODY, /) -> Mapping[Route, Outcome]:
        """Sign with the key, hold it against what subscriptions were made with, and see whether
        their services are reached, at a path where no browser is."""
        assert self._vapid is not None, "open() comes first"
        self._vapid.authorization("https://localhost")
        asked = [each for each in survey.services if is_allowed(each, self._allowed)][:SERVICES]
        answers = await asyncio.gather(*(self._tried(each) for each in asked))
        outcome = judged(
            survey,
            public_key=self._vapid.public_key,
            answers=dict(zip(asked, answers, strict=True)),
        )
        return {Route.WEBPUSH: outcome}

    async def _tried(self, origin: str) -> str:
        assert self._session is not None
        assert self._vapid is not None
        headers = {"TTL": "0", "Authorization": self._vapid.authorization(origin)}
        try:
            async with self._session.post(
                f"{origin}{TRIAL}", headers=headers, allow_redirects=False
            ) as answer:
                return answered(answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as unreached:
            return f"not reached ({type(unreached).__name__})"

    async def send(
        self, attempts: Sequence[Attempt], *, landed: Landed = unheard
    ) -> Sequence[Outcome]:
        """Send all of them with as many tasks as there are connections."""
        outcomes = [_UNTRIED] * len(attempts)
        todo = iter(enumerate(attempts))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(attempts), self._options.connections)):
                group.create_task(self._work(todo, outcomes, landed))
        return outcomes

    async def _work(
        self, todo: Iterator[tuple[int, Attempt]], outcomes: list[Outcome], landed: Landed
    ) -> None:
        for index, attempt in todo:
            outcomes[index] = await self._send(attempt)
            landed(index, outcomes[index])

    async def _send(self, attempt: Attempt) -> Outcome:
        assert self._vapid is not None, "open() comes first"
        try:
            subscription = subscription_of(attempt.address)
            if not is_allowed(subscription.origin, self._allowed):
                return Outcome(Verdict.REJECTED, "origin not allowed")
            body = encrypted(message_of(attempt), subscription)
        except InvalidInput:
            return Outcome(Verdict.TOKEN_SUSPECT, "not a subscription")
        except Unsendable as never:
            return Outcome(Verdict.REJECTED, never.reason)
        headers = {**headers_of(attempt, now=self._clock.now()), **_ENCODED}
        headers["Authorization"] = self._vapid.authorization(subscription.origin)
        return await self._post(subscription.endpoint, body, headers)

    async def _post(self, endpoint: str, body: bytes, headers: dict[str, str]) -> Outcome:
        assert self._session is not None
        outcome: Outcome | None = None
        try:
            # The endpoint as the browser said it: an escape more or less is another one.
            async with self._session.post(
                URL(endpoint, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as answer:
                outcome = outcome_of(answer.status, answer.headers, now=self._clock.now())
                # Read, so that the connection can be used again; what it says does not matter.
                await answer.content.read(_ANSWER_BYTES)
                return outcome
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as unreached:
            if isinstance(getattr(unreached, "os_error", None), PrivateAddress):
                return Outcome(Verdict.REJECTED, "endpoint in a private network")
            return Outcome(Verdict.NOT_SENT, _described(unreached))
        except aiohttp.InvalidURL:
            return Outcome(Verdict.TOKEN_SUSPECT, "not a subscription")
        except (aiohttp.ClientError, TimeoutError, OSError) as lost:
            return outcome or Outcome(Verdict.AMBIGUOUS, _described(lost))


_ENCODED = {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}

_UNTRIED = Outcome(Verdict.NOT_SENT, "not tried")


def _described(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}".rstrip(": ")
