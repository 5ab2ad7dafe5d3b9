"""Apple Push Notification service, token-authenticated, over aioapns tamed."""

import asyncio
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernel.clock import Clock
from kernel.ids import new_id
from kernel.notices import Urgency
from kernel.options import option
from notifications.adapters.apns_answers import ENDS_CONNECTION, outcome_of, read_answer
from notifications.adapters.apns_message import ApnsRequest, BadAddress, request_of
from notifications.adapters.apns_token import ProviderToken
from notifications.adapters.http2_connection import Line
from notifications.adapters.http2_exchange import Answer, Judged, Volley
from notifications.adapters.http2_pool import Http2Pool
from notifications.adapters.http2_proxy import is_proxy
from notifications.adapters.push_content import Unsendable
from notifications.apps.types import NOBODY, Survey
from notifications.http2.ends import Head
from notifications.ports import Landed, unheard
from notifications.types import (
    AddressKind,
    Attempt,
    Content,
    Environment,
    Outcome,
    PushKind,
    Route,
    Verdict,
    route_of,
)
from notifications.vitals import Vitals

_IDLE = 30 * 60.0
"""Seconds without traffic after which a connection is closed; Apple wants them to last."""


@dataclass(frozen=True, slots=True)
class ApnsOptions:
    """How to reach APNs. The key file holds the secret; the options do not."""

    key_file: str = option("", "Signing key (.p8) from Apple. Empty: no pushes through APNs.")
    key_id: str = option("", "The key's id: ten characters, also part of the file's name.")
    team_id: str = option("", "Your team's id at Apple: ten characters.")
    topic: str = option("", "The app's bundle id.")
    production: str = option("api.push.apple.com:443", "Host and port of the production world.")
    sandbox: str = option("api.sandbox.push.apple.com:443", "Host and port of the sandbox world.")
    ca_file: str = option("", "Certificates to trust instead of the system's.")
    proxy: str = option(
        "",
        "HTTP proxy on the way, http://[user:password@]host:port. Empty: none.",
        secret=True,
    )
    connections: int = option(2, "Connections per environment and class of pushes, at most.")
    streams: int = option(100, "Pushes under way on one connection, at most; APNs may allow less.")
    deadline: float = option(15.0, "Seconds until an answer is given up.")
    connect_within: float = option(10.0, "Seconds until a connection must stand.")

    def __post_init__(self) -> None:
        for name in ("production", "sandbox"):
            host, _, port = getattr(self, name).rpartition(":")
            if not host or not port.isdigit():
                raise ValueError(f"{name} must be host:port")
        if self.proxy and not is_proxy(self.proxy):
            raise ValueError("proxy must be http://[user:password@]host:port")
        if self.key_file and not (self.key_id and self.team_id and self.topic):
            raise ValueError("key_file needs key_id, team_id and topic")
        if self.connections < 1 or self.streams < 1:
            raise ValueError("connections and streams must be at least 1")
        if not 0 < self.connect_within <= self.deadline:
            raise ValueError("connect_within must be above 0 and at most deadline")


class ApnsProvider:
    """Carries pushes to APNs addresses. One call, one attempt for each.

    Marketing has connections of its own: refused addresses narrow the connection they were
    sent on, and chat must not pay for a campaign's.
    """

    name = "apns"
    carries = frozenset({AddressKind.APNS})

    def __init__(self, options: ApnsOptions, *, clock: Clock, key: str = "") -> None:
        """`key` is the signing key itself, in place of the file of the options."""
        self._options = options
        self._clock = clock
        self._key = key
        self._pools: dict[tuple[Environment, bool], Http2Pool] = {}
        self._topic = options.topic
        self._token: ProviderToken | None = None

    @property
    def pools(self) -> Collection[Http2Pool]:
        """For metrics and tests: who is connected, what waits."""
        return self._pools.values()

    @property
    def vitals(self) -> Vitals:
        return sum((pool.vitals for pool in self._pools.values()), Vitals())

    async def open(self) -> None:
        """Read the key. Raises ValueError or OSError when it is not one."""
        options = self._options
        key = self._key or await asyncio.to_thread(Path(options.key_file).read_text)
        self._token = ProviderToken(
            key=key, key_id=options.key_id, team_id=options.team_id, clock=self._clock
        )
        self._token.get_header()
        tls = ssl.create_default_context(cafile=options.ca_file or None)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.set_alpn_protocols(["h2"])
        for environment in Environment:
            host, _, port = getattr(options, environment.value).rpartition(":")
            for marketing in (False, True):
                self._pools[environment, marketing] = Http2Pool(
                    address=(host, int(port)),
                    line=Line(options.streams, _IDLE),
                    tls=tls,
                    size=options.connections,
                    deadline=options.deadline,
                    connect_within=options.connect_within,
                    proxy=options.proxy,
                )

    async def close(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.shut()

    async def check(self, _survey: Survey = NOBODY, /) -> Mapping[Route, Outcome]:
        """Send what wakes nothing to an address that no device has, in both worlds.

        APNs has no dry run; it looks at the token and the topic before it looks at the address.
        """
        now = self._clock.now()
        trials = {
            route_of(AddressKind.APNS, environment): Attempt(
                push_id=new_id(now),
                number=1,
                address_kind=AddressKind.APNS,
                address="0" * 64,
                environment=environment,
                urgency=Urgency.INTERACTIVE,
                content=Content("", "", kind=PushKind.BACKGROUND, now_or_never=True),
                collapse_key="",
                expires_at=now,
            )
            for environment in Environment
        }
        outcomes = await self.send(list(trials.values()))
        return dict(zip(trials, outcomes, strict=True))

    async def send(
        self, attempts: Sequence[Attempt], *, landed: Landed = unheard
    ) -> Sequence[Outcome]:
        """Hand all of them to their pools, then wait for the answers; no task per push."""
        assert self._token is not None, "open() comes first"
        volley = Volley(len(attempts), landed)
        pools: set[Http2Pool] = set()
        for number, attempt in enumerate(attempts):
            try:
                request = request_of(attempt, topic=self._topic)
            except Unsendable as never:
                volley.land(number, Outcome(Verdict.REJECTED, never.reason))
            except BadAddress:
                volley.land(number, Outcome(Verdict.TOKEN_SUSPECT, "BadDeviceToken"))
            else:
                marketing = attempt.urgency is Urgency.MARKETING
                pool = self._pools[attempt.environment, marketing]
                authority = pool.host.encode()
                again = attempt.number > 1
                sending = _Sending(request, authority, self._token, self._clock, again)
                volley.send(pool, number, sending)
                pools.add(pool)
        for pool in pools:
            pool.pump()
        outcomes = await volley.outcomes()
        return [outcomes[number] for number in range(len(attempts))]


@dataclass(slots=True)
class _Sending:
    """A request that is written with the token of that moment, and knows which it was."""

    request: ApnsRequest
    authority: bytes
    token: ProviderToken
    clock: Clock
    again: bool
    """Whether it was tried before."""
    authorization: str = ""

    @property
    def body(self) -> bytes:
        return self.request.body

    def head(self) -> Head:
        self.authorization = self.token.get_header()
        return self.request.head(
            authority=self.authority, authorization=self.authorization.encode()
        )

    def judge(self, answer: Answer) -> Judged:
        said = read_answer(answer, apns_id=self.request.notification_id)
        if said.reason == "ExpiredProviderToken" and not self.token.renew(self.authorization):
            # A token this young cannot be too old: one of the two clocks is wrong.
            reason = "ExpiredProviderToken: check this machine's clock"
            return Judged(Outcome(Verdict.MISCONFIGURED, reason))
        ends = said.reason in ENDS_CONNECTION
        if said.reason == "UnrelatedKeyIdInToken" and self.again:
            # A new connection did not help: it is the key.
            return Judged(Outcome(Verdict.MISCONFIGURED, said.reason), ends)
        return Judged(outcome_of(said, now=self.clock.now()), ends)
