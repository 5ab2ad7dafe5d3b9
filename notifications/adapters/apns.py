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
from notifications.adapters.apns_answers import Answer, outcome_of
from notifications.adapters.apns_message import BadAddress, request_of
from notifications.adapters.apns_pool import ApnsPool
from notifications.adapters.apns_proxy import is_proxy
from notifications.adapters.apns_token import ProviderToken
from notifications.adapters.push_content import Unsendable
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
        self._pools: dict[tuple[Environment, bool], ApnsPool] = {}
        self._topic = options.topic

    @property
    def pools(self) -> Collection[ApnsPool]:
        """For metrics and tests: who is connected, what waits."""
        return self._pools.values()

    async def open(self) -> None:
        """Read the key. Raises ValueError or OSError when it is not one."""
        options = self._options
        key = self._key or await asyncio.to_thread(Path(options.key_file).read_text)
        token = ProviderToken(
            key=key, key_id=options.key_id, team_id=options.team_id, clock=self._clock
        )
        token.get_header()
        tls = ssl.create_default_context(cafile=options.ca_file or None)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.set_alpn_protocols(["h2"])
        for environment in Environment:
            host, _, port = getattr(options, environment.value).rpartition(":")
            for marketing in (False, True):
                self._pools[environment, marketing] = ApnsPool(
                    address=(host, int(port)),
                    topic=options.topic,
                    token=token,
                    tls=tls,
                    size=options.connections,
                    streams=options.streams,
                    deadline=options.deadline,
                    connect_within=options.connect_within,
                    proxy=options.proxy,
                )

    async def close(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.shut()

    async def check(self) -> Mapping[Route, Outcome]:
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

    async def send(self, attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        """Hand all of them to their pools, then wait for the answers; no task per push."""
        assert self._pools, "open() comes first"
        results: list[Outcome | asyncio.Future[Answer | Outcome]] = []
        pools: set[ApnsPool] = set()
        for attempt in attempts:
            try:
                request = request_of(attempt, topic=self._topic)
            except Unsendable as never:
                results.append(Outcome(Verdict.REJECTED, never.reason))
            except BadAddress:
                results.append(Outcome(Verdict.TOKEN_SUSPECT, "BadDeviceToken"))
            else:
                marketing = attempt.urgency is Urgency.MARKETING
                pool = self._pools[attempt.environment, marketing]
                results.append(pool.submit(request))
                pools.add(pool)
        for pool in pools:
            pool.pump()
        await asyncio.gather(*(each for each in results if isinstance(each, asyncio.Future)))
        return [
            each if isinstance(each, Outcome) else self._outcome(each.result()) for each in results
        ]

    def _outcome(self, result: Answer | Outcome) -> Outcome:
        if isinstance(result, Outcome):
            return result
        return outcome_of(result, now=self._clock.now())
