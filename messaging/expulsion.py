"""Ends the live connections of those against whom something stands now."""

import logging
from collections.abc import Collection, Sequence

from kernel.clock import Clock
from kernel.identity import ANONYMOUS
from kernel.ids import UserId
from kernel.metrics import Metrics
from messaging.connection import Connection
from messaging.hub import Hub
from messaging.protocol.codes import DisconnectCode, UnsubscribeCode
from messaging.restrictions import Restriction, RestrictionKind, Restrictions, proof_of

log = logging.getLogger(__name__)


class Expulsion:
    """Hears of changes from `Standing`. Hearing of one again does no harm.

    Who is blocked is told so for good (3507). Whose token was revoked is told to come back with
    another one (3014): an application that may have one goes on, a thief does not. The same
    holds for a channel whose subscription token was revoked or invalidated (2502).
    """

    def __init__(self, hub: Hub, *, clock: Clock, metrics: Metrics) -> None:
        self._hub = hub
        self._clock = clock
        self._ended = metrics.counter(
            "messaging_expulsions_total", "Connections ended by a block or a revocation.", ["kind"]
        )

    def tell(self, changed: Sequence[Restriction], again: bool) -> None:
        """End what must not go on."""
        now = self._clock.now()
        fresh = Restrictions()
        for each in changed:
            fresh.put(each, now=now)
        tokens = {each.subject for each in changed if each.kind is RestrictionKind.TOKEN}
        if tokens:
            # A token names nobody here. However many were revoked, all are looked at once.
            for connection in self._hub.roster:
                self._judge_tokens(connection, tokens, fresh)
        for each in changed:
            if each.kind is not RestrictionKind.TOKEN:
                for connection in self._hub.roster.of_user(UserId(each.subject)):
                    self._judge(connection, fresh)
        for each in changed:
            # Whoever subscribes once more does so with another token.
            if each.channel and not again and not each.ended(now):
                for connection in self._hub.roster.of_user(UserId(each.subject)):
                    self._dismiss(connection, each.channel)

    def _judge_tokens(
        self, connection: Connection, tokens: Collection[str], fresh: Restrictions
    ) -> None:
        principal = connection.principal
        if principal is None:
            return
        if principal.claims.get("jti") in tokens:
            self._judge(connection, fresh)
        for channel, subscription in list((connection.subscriptions or {}).items()):
            if subscription.grant.token_id in tokens:
                self._dismiss(connection, channel)

    def _judge(self, connection: Connection, fresh: Restrictions) -> None:
        principal = connection.principal
        assert principal is not None, "who is found by user or token has said who they are"
        proof = proof_of(principal.user_id or ANONYMOUS, principal.claims)
        found = fresh.against(proof, now=self._clock.now())
        if found is not None:
            self._end(connection, found)

    def _dismiss(self, connection: Connection, channel: str) -> None:
        self._hub.dismiss(connection, channel, UnsubscribeCode.STATE_INVALIDATED)

    def _end(self, connection: Connection, found: Restriction) -> None:
        self._ended.labels(found.kind).inc()
        log.info(
            "connection expelled",
            extra={"user_id": connection.user_id, "client": connection.client, "kind": found.kind},
        )
        blocked = found.kind is RestrictionKind.USER
        connection.disconnect(
            DisconnectCode.PERMISSION_DENIED if blocked else DisconnectCode.STATE_INVALIDATED
        )
