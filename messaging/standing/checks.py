"""Whether a user and their token are accepted: what stands against them, at hand on each node.

Connecting, refreshing and every HTTP request ask, so asking must cost nothing: a node keeps all
restrictions in memory and reads only what changed. An order says when to look; whoever misses
it looks a moment later all the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from kernel.bus import Publication
from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.identity import ANONYMOUS, Claims, Principal, TokenVerifier
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.options import option
from kernel.workers import Pulse, Stop, repeat
from messaging.errors import TokenRevoked, UserBlocked
from messaging.nodes.control import CONTROL
from messaging.standing.ports import Change, RestrictionStore
from messaging.standing.restrictions import Restriction, RestrictionKind, Restrictions, proof_of

PAGE = 1000
"""Changes read at once."""

KEPT = timedelta(days=1)
"""How long what ended is kept, so that every node hears of its end."""

RECENT = 10.0
"""Seconds for which a change is told again: it may have come while somebody was connecting."""

AGAIN = 100
"""Changes that are read again: a database that fails over may lose its last ones, and give
their numbers to others."""

WHOLE_SECONDS = 3600.0
"""Rest between two readings of everything, which also finds what was lost for good."""

PRUNE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class StandingOptions:
    """How a node learns of blocked users and revoked tokens."""

    poll_seconds: float = option(
        2.0, "Rest between looks for blocks and revocations: how late one is whose order was lost."
    )
    trust_seconds: float = option(
        60.0,
        "How long what a node knows of them counts while the database is away; after that,"
        " whoever connects is told to come back later.",
    )

    def __post_init__(self) -> None:
        if not 0 < self.poll_seconds < self.trust_seconds:
            raise ValueError("poll_seconds must be above 0 and below trust_seconds")


_CHANGED = b'{"type":"standing"}'
"""To every node: something stands that did not, or the other way round."""


def publication_of_change() -> Publication:
    """What tells every node to look."""
    return Publication(CONTROL, _CHANGED)


class Standing:
    """All that stands against users and tokens, as of a moment ago."""

    name = "standing"

    def __init__(
        self,
        store: RestrictionStore,
        *,
        clock: Clock,
        metrics: Metrics,
        options: StandingOptions,
    ) -> None:
        self.on_change: list[Callable[[Sequence[Restriction], bool], None]] = []
        """Who is told of changes: once when they are new, and then again for a while."""
        self._store = store
        self._clock = clock
        self._options = options
        self._pulse = Pulse()
        self._restrictions = Restrictions()
        self._revision = 0
        self._known_at: float | None = None
        self._whole_at = float("-inf")
        self._looking = asyncio.Lock()
        self._recent: deque[tuple[float, Restriction]] = deque()
        self._pruned_at = clock.monotonic()
        self._held = metrics.gauge(
            "messaging_restrictions", "Blocks, revocations and the like that this node knows of."
        )
        self._refused = metrics.counter(
            "messaging_standing_refusals_total", "Proofs of users that were refused.", ["kind"]
        )

    # --- whoever wants in ----------------------------------------------------------------------

    def check(self, user_id: UserId, claims: Mapping[str, object], *, channel: str = "") -> None:
        """Refuse a user who is blocked, or whose token counts no longer; it says `claims`.

        `channel` is that of a subscription token. Nobody in particular is never refused. Raises
        `UserBlocked`, `TokenRevoked`, or `Unavailable` when what is known is too old to tell.
        """
        if not user_id:
            return
        if self._known_at is None or (
            self._clock.monotonic() - self._known_at > self._options.trust_seconds
        ):
            raise Unavailable("Whether you may connect cannot be told at the moment.")
        if not self._restrictions:
            return
        proof = proof_of(user_id, claims, channel=channel)
        found = self._restrictions.against(proof, now=self._clock.now())
        if found is None:
            return
        self._refused.labels(found.kind).inc()
        if found.kind is RestrictionKind.USER:
            raise UserBlocked("This user is blocked.")
        raise TokenRevoked("The token was revoked; ask for a new one.")

    # --- keeping up ----------------------------------------------------------------------------

    def take(self, publication: Publication) -> None:
        """Take news from the control channel, if they are about this."""
        if publication.data == _CHANGED:
            self._pulse.beat()

    async def open(self) -> None:
        """Read all there is, before anybody is let in."""
        await self.look()

    async def close(self) -> None:
        """There is nothing to close."""

    async def run(self, stop: Stop) -> None:
        await repeat(
            self.step,
            clock=self._clock,
            stop=stop,
            idle=self._options.poll_seconds,
            pulse=self._pulse,
        )

    async def step(self) -> int:
        """Look at what changed, and see to those who came in meanwhile."""
        await self.look()
        now = self._clock.monotonic()
        while self._recent and now - self._recent[0][0] > RECENT:
            self._recent.popleft()
        self._tell([each for _, each in self._recent], again=True)
        if now - self._pruned_at >= PRUNE_SECONDS:
            self._restrictions.forget_ended(self._clock.now())
            self._held.set(len(self._restrictions))
            ended_before = self._clock.now() - KEPT
            if await self._store.prune(ended_before=ended_before, limit=PAGE) < PAGE:
                self._pruned_at = now
        return 0

    async def look(self) -> None:
        """Read what changed, all that was committed before this call at least."""
        async with self._looking:
            now = self._clock.monotonic()
            whole = now - self._whole_at >= WHOLE_SECONDS
            after = 0 if whole else max(0, self._revision - AGAIN)
            read = await self._read(after)
            # From here on nothing waits: what was read is taken and told, or nothing of it is.
            instant = self._clock.now()
            before = self._restrictions
            changed = [each for _, each in read if not before.holds(each, now=instant)]
            known = Restrictions() if whole else before
            for _, each in read:
                known.put(each, now=instant)
            if whole:
                self._restrictions, self._whole_at, self._revision = known, now, 0
            if read:
                self._revision = read[-1].revision
            if changed:
                self._held.set(len(known))
            if self._known_at is not None:
                self._recent.extend((now, each) for each in changed)
                self._tell(changed, again=False)
            self._known_at = now

    async def _read(self, after: int) -> list[Change]:
        read: list[Change] = []
        while True:
            changes = await self._store.changes(after=after, limit=PAGE)
            read += changes
            if len(changes) < PAGE:
                return read
            after = changes[-1].revision

    def _tell(self, changed: Sequence[Restriction], *, again: bool) -> None:
        if changed:
            for tell in self.on_change:
                tell(changed, again)


class CheckedTokens:
    """Access tokens of those against whom nothing stands. Fulfils `TokenVerifier`."""

    def __init__(self, tokens: TokenVerifier, standing: Standing) -> None:
        self._tokens = tokens
        self._standing = standing

    def verify_at_once(self, token: str) -> Principal | None:
        principal = self._tokens.verify_at_once(token)
        return None if principal is None else self._checked(principal)

    async def verify(self, token: str) -> Principal:
        return self._checked(await self._tokens.verify(token))

    async def claims(self, token: str) -> Claims:
        signed = await self._tokens.claims(token)
        said = _claims.decode(signed.payload)
        user_id, channel = said.get("sub"), said.get("channel")
        if isinstance(user_id, str) and isinstance(channel, str):
            self._standing.check(UserId(user_id), said, channel=channel)
        return signed

    def _checked(self, principal: Principal) -> Principal:
        self._standing.check(principal.user_id or ANONYMOUS, principal.claims)
        return principal


_claims = msgspec.json.Decoder(dict[str, object])
