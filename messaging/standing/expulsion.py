"""Ends the live connections of those against whom something stands now."""

import logging
from collections.abc import Collection, Sequence

from kernel.clock import Clock
from kernel.identity import ANONYMOUS
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.workers import Pulse, Stop, rest
from messaging.connections.connection import Connection
from messaging.hub import Hub
from messaging.protocol.codes import DisconnectCode, UnsubscribeCode
from messaging.standing.restrictions import Restriction, RestrictionKind, Restrictions, proof_of

log = logging.getLogger(__name__)


REMEMBERED = 10.0
"""Seconds for which a revoked token is looked for: somebody may be connecting with it."""

SWEEP_SECONDS = 1.0
"""Rest between two looks at all connections, which take a moment on a full node."""

AT_ONCE = 1000
"""Connections looked at before the node does something else."""


class Expulsion:
    """Hears of changes from `Standing`. Hearing of one again does no harm.

    Who is blocked is told so for good (3507). Whose token was revoked is told to come back with
    another one (3014): an application that may have one goes on, a thief does not. The same
    holds for a channel whose subscription token was revoked or invalidated (2502).

    A token names nobody here, so this is a worker that looks at everybody for it: at once, and
    then no more than once a second, however many are revoked.
    """

    name = "expulsion"

    def __init__(self, hub: Hub, *, clock: Clock, metrics: Metrics) -> None:
        self._hub = hub
        self._clock = clock
        self._pulse = Pulse()
        self._tokens: dict[str, float] = {}
        """Revoked ones, and until when they are looked for."""
        self._ended = metrics.counter(
            "messaging_expulsions_total", "Connections ended by a block or a revocation.", ["kind"]
        )

    def tell(self, changed: Sequence[Restriction], again: bool) -> None:
        """End what must not go on."""
        now = self._clock.now()
        fresh = Restrictions()
        for each in changed:
            if each.kind is not RestrictionKind.TOKEN:
                fresh.put(each, now=now)
            elif not again and not each.ended(now):
                self._tokens[each.subject] = self._clock.monotonic() + REMEMBERED
                self._pulse.beat()
        for each in changed:
            if each.kind is not RestrictionKind.TOKEN:
                for connection in self._hub.roster.of_user(UserId(each.subject)):
                    self._judge(connection, fresh)
        for each in changed:
            # Whoever subscribes once more does so with another token.
            if each.channel and not again and not each.ended(now):
                for connection in self._hub.roster.of_user(UserId(each.subject)):
                    self._dismiss(connection, each.channel)

    async def run(self, stop: Stop) -> None:
        """Look for revoked tokens until `stop` is asked."""
        while not stop.asked:
            if not self._tokens:
                await rest(REMEMBERED, clock=self._clock, stop=stop, pulse=self._pulse)
            await self.step()
            if self._tokens:
                await rest(SWEEP_SECONDS, clock=self._clock, stop=stop)

    async def step(self) -> int:
        """Look at every connection once for the tokens that were revoked lately; how many are."""
        tokens = dict(self._tokens)
        if not tokens:
            return 0
        for number, connection in enumerate(self._hub.roster, start=1):
            if number % AT_ONCE == 0:
                await self._clock.sleep(0)
            self._look_for(connection, tokens)
        now = self._clock.monotonic()
        self._tokens = {each: until for each, until in self._tokens.items() if until > now}
        return len(tokens)

    def _look_for(self, connection: Connection, tokens: Collection[str]) -> None:
        principal = connection.principal
        if principal is None or not connection.is_open:
            return
        token_id = principal.claims.get("jti")
        if isinstance(token_id, str) and token_id in tokens:
            self._end(connection, RestrictionKind.TOKEN)
            return
        subscriptions = connection.subscriptions
        if subscriptions:
            given = [name for name, each in subscriptions.items() if each.grant.token_id in tokens]
            for channel in given:
                self._dismiss(connection, channel)

    def _judge(self, connection: Connection, fresh: Restrictions) -> None:
        principal = connection.principal
        assert principal is not None, "who is found by user or token has said who they are"
        proof = proof_of(principal.user_id or ANONYMOUS, principal.claims)
        found = fresh.against(proof, now=self._clock.now())
        if found is not None:
            self._end(connection, found.kind)

    def _dismiss(self, connection: Connection, channel: str) -> None:
        self._hub.dismiss(connection, channel, UnsubscribeCode.STATE_INVALIDATED)

    def _end(self, connection: Connection, kind: RestrictionKind) -> None:
        self._ended.labels(kind).inc()
        log.info(
            "connection expelled",
            extra={"user_id": connection.user_id, "client": connection.client, "kind": kind},
        )
        blocked = kind is RestrictionKind.USER
        connection.disconnect(
            DisconnectCode.PERMISSION_DENIED if blocked else DisconnectCode.STATE_INVALIDATED
        )
