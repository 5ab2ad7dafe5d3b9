"""Firebase Cloud Messaging: PyFCM builds the messages, HTTP/2 streams carry them."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import aiohttp
import msgspec
from google.oauth2.service_account import Credentials

from kernel.clock import Clock
from kernel.options import option
from notifications.adapters.fcm_answers import STALE_BEARER, outcome_of
from notifications.adapters.fcm_bearer import Bearers
from notifications.adapters.fcm_message import FcmApi, message_of
from notifications.adapters.http2_connection import Line
from notifications.adapters.http2_exchange import Answer, Judged, Volley
from notifications.adapters.http2_pool import Http2Pool
from notifications.adapters.push_content import Unsendable
from notifications.apps.types import NOBODY, Survey
from notifications.http2.ends import Head
from notifications.ports import Landed, unheard
from notifications.types import AddressKind, Attempt, Outcome, Route, Verdict
from notifications.vitals import Vitals

_IDLE = 200.0
"""Seconds; FCM closes a connection that was idle for 240."""


@dataclass(frozen=True, slots=True)
class FcmOptions:
    """How to reach FCM. The key file holds the secret; the options do not."""

    key_file: str = option("", "Service account key file (JSON). Empty: no pushes through FCM.")
    endpoint: str = option(
        "https://fcm.googleapis.com/v1/projects", "FCM's address, up to the project's name."
    )
    ca_file: str = option("", "Certificates to trust instead of the system's.")
    connections: int = option(8, "Connections per app and class of pushes, at most.")
    streams: int = option(
        25, "Pushes under way on one connection, at most: so many are in doubt when it is lost."
    )
    deadline: float = option(15.0, "Seconds until an answer is given up; Google asks for 10.")
    connect_within: float = option(10.0, "Seconds until a connection must stand.")

    def __post_init__(self) -> None:
        if not self.endpoint.startswith("https://"):
            raise ValueError("endpoint must be an https address")
        if self.connections < 1 or self.streams < 1:
            raise ValueError("connections and streams must be at least 1")
        if not 0 < self.connect_within <= self.deadline:
            raise ValueError("connect_within must be above 0 and at most deadline")


_TRIAL = msgspec.json.encode(
    {"validate_only": True, "message": {"topic": "zaffa-check", "data": {"check": "1"}}}
)


class FcmProvider:
    """Carries pushes to FCM's tokens, installation ids, topics and conditions.

    One call, one attempt for each. Each class of pushes has a provider of its own.
    """

    name = "fcm"
    carries = frozenset(
        {
            AddressKind.FCM_TOKEN,
            AddressKind.FCM_FID,
            AddressKind.FCM_TOPIC,
            AddressKind.FCM_CONDITION,
        }
    )

    def __init__(self, options: FcmOptions, *, clock: Clock, account: bytes = b"") -> None:
        """`account` is the service account itself, in place of the file of the options."""
        self._options = options
        self._clock = clock
        self._account = account
        self._opened: _Opened | None = None

    @property
    def vitals(self) -> Vitals:
        return Vitals() if self._opened is None else self._opened.pool.vitals

    async def open(self) -> None:
        """Read the key file. Raises ValueError or OSError when it is not one."""
        options = self._options
        text = self._account or await asyncio.to_thread(Path(options.key_file).read_bytes)
        account = json.loads(text)
        credentials = Credentials.from_service_account_info(account)  # type: ignore[no-untyped-call]
        api = FcmApi(credentials=credentials)
        api.FCM_END_POINT_BASE = options.endpoint.rstrip("/")
        endpoint = str(api.fcm_end_point)
        tls = ssl.create_default_context(cafile=options.ca_file or None)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=options.deadline, connect=options.connect_within),
        )
        bearers = Bearers(
            credentials=api.credentials,
            token_uri=account["token_uri"],
            session=session,
            clock=self._clock,
        )
        url = urlsplit(endpoint)
        self._opened = _Opened(api, _head_of(url), session, bearers, self._pool(url))

    def _pool(self, url: SplitResult) -> Http2Pool:
        options = self._options
        assert url.hostname is not None
        tls = ssl.create_default_context(cafile=options.ca_file or None)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.set_alpn_protocols(["h2"])
        return Http2Pool(
            address=(url.hostname, url.port or 443),
            line=Line(options.streams, _IDLE),
            tls=tls,
            size=options.connections,
            deadline=options.deadline,
            connect_within=options.connect_within,
        )

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.pool.shut()
            await opened.bearers.close()
            await opened.session.close()

    async def check(self, _survey: Survey = NOBODY, /) -> Mapping[Route, Outcome]:
        """Have FCM validate a message to a topic nobody has, which it does not send."""
        [outcome] = (await self._post({0: _TRIAL}, unheard)).values()
        return {Route.FCM: outcome}

    async def send(
        self, attempts: Sequence[Attempt], *, landed: Landed = unheard
    ) -> Sequence[Outcome]:
        """Hand all of them to the pool, then wait for the answers; no task per push."""
        assert self._opened is not None, "open() comes first"
        now = self._clock.now()
        outcomes: dict[int, Outcome] = {}
        bodies: dict[int, bytes] = {}

        def settled(number: int, outcome: Outcome) -> None:
            outcomes[number] = outcome
            landed(number, outcome)

        def unless_stale(number: int, outcome: Outcome) -> None:
            if not _is_stale_bearer(outcome):
                settled(number, outcome)

        for number, attempt in enumerate(attempts):
            try:
                bodies[number] = message_of(attempt, api=self._opened.api, now=now)
            except Unsendable as never:
                settled(number, Outcome(Verdict.REJECTED, never.reason))
        await self._post(bodies, unless_stale)
        refused = {number: body for number, body in bodies.items() if number not in outcomes}
        if refused:
            # A refused bearer means a push that was not even looked at: once more, with a new one.
            await self._post(refused, settled)
        return [outcomes[number] for number in range(len(attempts))]

    async def _post(self, bodies: Mapping[int, bytes], landed: Landed) -> Mapping[int, Outcome]:
        """One request for each, with the bearer there is, which is over if FCM says so."""
        assert self._opened is not None, "open() comes first"
        opened = self._opened
        volley = Volley(len(bodies), landed)
        bearer = await opened.bearers.current()
        if isinstance(bearer, Outcome):
            for number in bodies:
                volley.land(number, bearer)
            return await volley.outcomes()
        # What differs between two pushes is in the body.
        authorization = (b"authorization", b"Bearer " + bearer.encode())
        head = opened.head._replace(common=(*opened.head.common, authorization))
        for number, body in bodies.items():
            volley.send(opened.pool, number, _Request(head, body, self._clock))
        opened.pool.pump()
        outcomes = await volley.outcomes()
        if any(map(_is_stale_bearer, outcomes.values())):
            opened.bearers.refuse(bearer)
        return outcomes


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a provider has while it is open."""

    api: FcmApi
    head: Head
    session: aiohttp.ClientSession
    bearers: Bearers
    pool: Http2Pool


@dataclass(frozen=True, slots=True)
class _Request:
    """One message; its headers are the same for all that share a bearer."""

    said: Head
    body: bytes
    clock: Clock

    def head(self) -> Head:
        return self.said

    def judge(self, answer: Answer) -> Judged:
        return Judged(outcome_of(answer.status, answer.body, answer.headers, now=self.clock.now()))


def _head_of(url: SplitResult) -> Head:
    """What all requests say."""
    return Head(
        pseudo=(
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", url.netloc.encode()),
            (b":path", url.path.encode()),
        ),
        common=((b"content-type", b"application/json; charset=UTF-8"),),
    )


def _is_stale_bearer(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.MISCONFIGURED and outcome.reason in STALE_BEARER
