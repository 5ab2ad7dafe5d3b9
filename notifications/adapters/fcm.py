"""Firebase Cloud Messaging: PyFCM builds the messages, one shared aiohttp session sends them."""

import asyncio
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
from google.oauth2.service_account import Credentials

from kernel.clock import Clock
from kernel.options import option
from notifications.adapters.fcm_answers import STALE_BEARER, outcome_of
from notifications.adapters.fcm_bearer import Bearers
from notifications.adapters.fcm_message import FcmApi, message_of
from notifications.adapters.push_content import Unsendable
from notifications.types import AddressKind, Attempt, Outcome, Route, Verdict

_KEEP_ALIVE = 200.0
"""Seconds; FCM closes a connection that was idle for 240."""


@dataclass(frozen=True, slots=True)
class FcmOptions:
    """How to reach FCM. The key file holds the secret; the options do not."""

    key_file: str = option("", "Service account key file (JSON). Empty: no pushes through FCM.")
    endpoint: str = option(
        "https://fcm.googleapis.com/v1/projects", "FCM's address, up to the project's name."
    )
    ca_file: str = option("", "Certificates to trust instead of the system's.")
    connections: int = option(200, "Connections to FCM at once, at most.")
    deadline: float = option(15.0, "Seconds until an answer is given up; Google asks for 10.")
    connect_within: float = option(10.0, "Seconds until a connection must stand.")

    def __post_init__(self) -> None:
        if not self.endpoint.startswith(("https://", "http://")):
            raise ValueError("endpoint must be an http(s) address")
        if self.connections < 1:
            raise ValueError("connections must be at least 1")
        if not 0 < self.connect_within <= self.deadline:
            raise ValueError("connect_within must be above 0 and at most deadline")


_TRIAL = msgspec.json.encode(
    {"validate_only": True, "message": {"topic": "zaffa-check", "data": {"check": "1"}}}
)


class FcmProvider:
    """Carries pushes to FCM's tokens, installation ids, topics and conditions.

    One call, one attempt for each.
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

    async def open(self) -> None:
        """Read the key file. Raises ValueError or OSError when it is not one."""
        options = self._options
        text = self._account or await asyncio.to_thread(Path(options.key_file).read_bytes)
        account = json.loads(text)
        credentials = Credentials.from_service_account_info(account)  # type: ignore[no-untyped-call]
        api = FcmApi(credentials=credentials)
        api.FCM_END_POINT_BASE = options.endpoint.rstrip("/")
        endpoint = str(api.fcm_end_point)
        connector = aiohttp.TCPConnector(
            limit=options.connections,
            keepalive_timeout=_KEEP_ALIVE,
            ttl_dns_cache=60,
            ssl=ssl.create_default_context(cafile=options.ca_file or None),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=options.deadline, connect=options.connect_within),
        )
        bearers = Bearers(
            credentials=api.credentials,
            token_uri=account["token_uri"],
            session=session,
            clock=self._clock,
        )
        self._opened = _Opened(api, endpoint, session, bearers)

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.bearers.close()
            await self._opened.session.close()
            self._opened = None

    async def check(self) -> Mapping[Route, Outcome]:
        """Have FCM validate a message to a topic nobody has, which it does not send."""
        assert self._opened is not None, "open() comes first"
        bearer = await self._opened.bearers.current()
        if isinstance(bearer, str):
            return {Route.FCM: await self._post(_TRIAL, bearer)}
        return {Route.FCM: bearer}

    async def send(self, attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        """Send all of them with as many tasks as there are connections."""
        if len(attempts) == 1:
            return [await self._send(attempts[0])]
        outcomes = [_UNTRIED] * len(attempts)
        todo = iter(enumerate(attempts))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(attempts), self._options.connections)):
                group.create_task(self._work(todo, outcomes))
        return outcomes

    async def _work(self, todo: Iterator[tuple[int, Attempt]], outcomes: list[Outcome]) -> None:
        for index, attempt in todo:
            outcomes[index] = await self._send(attempt)

    async def _send(self, attempt: Attempt) -> Outcome:
        assert self._opened is not None, "open() comes first"
        bearers = self._opened.bearers
        try:
            body = message_of(attempt, api=self._opened.api, now=self._clock.now())
        except Unsendable as never:
            return Outcome(Verdict.REJECTED, never.reason)
        bearer = await bearers.current()
        if isinstance(bearer, Outcome):
            return bearer
        outcome = await self._post(body, bearer)
        if outcome.verdict is Verdict.MISCONFIGURED and outcome.reason in STALE_BEARER:
            # A refused bearer means a push that was not even looked at: once more, with a new one.
            bearers.refuse(bearer)
            bearer = await bearers.current()
            if isinstance(bearer, Outcome):
                return bearer
            outcome = await self._post(body, bearer)
        return outcome

    async def _post(self, body: bytes, bearer: str) -> Outcome:
        assert self._opened is not None
        headers = {
            "Authorization": f"Bearer {bearer}",
            "Content-Type": "application/json; charset=UTF-8",
        }
        status = 0
        try:
            async with self._opened.session.post(
                self._opened.endpoint, data=body, headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
                return outcome_of(
                    status, await answer.read(), answer.headers, now=self._clock.now()
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as unreached:
            return Outcome(Verdict.NOT_SENT, _described(unreached))
        except (aiohttp.ClientError, TimeoutError, OSError) as lost:
            if status:
                return _half_an_answer(status, lost)
            return Outcome(Verdict.AMBIGUOUS, _described(lost))


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a provider has while it is open."""

    api: FcmApi
    endpoint: str
    session: aiohttp.ClientSession
    bearers: Bearers


_UNTRIED = Outcome(Verdict.NOT_SENT, "not tried")


def _half_an_answer(status: int, lost: Exception) -> Outcome:
    """The status came and the body did not: enough to know whether it was accepted."""
    verdict = Verdict.ACCEPTED if status == 200 else Verdict.FAILED
    return Outcome(verdict, f"HTTP {status}, then {_described(lost)}")


def _described(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}".rstrip(": ")
