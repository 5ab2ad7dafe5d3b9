"""Connecting: who is it, what are they subscribed to, and how long may they stay."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.errors import Denied, TokenExpired, Unauthenticated
from kernel.identity import ANONYMOUS, Principal, TokenVerifier
from kernel.options import option
from messaging.connection import Connection
from messaging.connections import caller_of
from messaging.gate import Gate
from messaging.hub import Hub
from messaging.namespaces import Namespaces
from messaging.presence import Keeper
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation
from messaging.protocol.frames import Command
from messaging.protocol.requests import ConnectRequest, RefreshRequest
from messaging.protocol.results import ConnectResult, RefreshResult
from messaging.refusals import Declined
from messaging.server_side import ServerSide
from messaging.subscriptions import ttl_of
from messaging.tokens import ServerSubscription, server_subscriptions
from messaging.types import Presence
from messaging.user_rates import UserRates

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectingOptions:
    """Who may connect."""

    allow_anonymous_connect_without_token: bool = option(
        False, "Clients may connect without an access token; they are nobody in particular."
    )


class Connecting:
    """Lets clients in, and lets them stay."""

    def __init__(
        self,
        *,
        version: str,
        verifier: TokenVerifier,
        hub: Hub,
        server_side: ServerSide,
        keeper: Keeper[Presence],
        namespaces: Namespaces,
        gate: Gate,
        clock: Clock,
        channels: int,
        options: ConnectingOptions,
        user_rates: UserRates | None = None,
    ) -> None:
        self._version = version
        self._verifier = verifier
        self._hub = hub
        self._server_side = server_side
        self._keeper = keeper
        self._namespaces = namespaces
        self._gate = gate
        self._clock = clock
        self._channels = channels
        self._options = options
        self._user_rates = user_rates

    async def connect(
        self, connection: Connection, command: Command, request: ConnectRequest
    ) -> None:
        """Answer `connect`.

        Raises `ProtocolViolation`, `Declined` or `Unavailable`: the last two are temporary but
        for a token that has expired.
        """
        async with self._gate.admitted():
            principal = await self._who(request)
            assert principal.user_id is not None
            if self._user_rates is not None:
                await self._user_rates.demand(principal.user_id, request)
            wanted = self._wanted(principal)
            prepared = (
                await self._server_side.prepare(connection, principal.user_id, wanted, request.subs)
                if wanted
                else []
            )
        if not connection.is_open:
            self._hub.leave(connection)
            return
        # From here on nothing waits: what was prepared holds until the next turn.
        subs, joining = self._server_side.begin(connection, prepared)
        ttl = ttl_of(principal.expires_at, self._clock.now())
        result = ConnectResult(
            client=connection.client,
            version=self._version,
            expires=ttl > 0,
            ttl=ttl,
            subs=subs,
            session=connection.wire.session,
            node=connection.wire.node,
        )
        connection.caller = caller_of(request, self._clock.now())
        connection.accept(command, result, principal)
        self._hub.roster.enter(connection)
        self._server_side.join(connection, joining)
        self._keeper.entered(presence_of(connection, principal))

    async def refresh(
        self, connection: Connection, command: Command, request: RefreshRequest
    ) -> None:
        """Answer `refresh`. Raises `ProtocolViolation` or `Unavailable`."""
        try:
            principal = await self._verified(request.token)
        except TokenExpired:
            raise ProtocolViolation(DisconnectCode.EXPIRED) from None
        if principal.user_id != connection.user_id:
            raise ProtocolViolation(DisconnectCode.INVALID_TOKEN)
        connection.principal = principal
        ttl = ttl_of(principal.expires_at, self._clock.now())
        result = RefreshResult(
            client=connection.client, version=self._version, expires=ttl > 0, ttl=ttl
        )
        connection.reply(command, result)

    async def _who(self, request: ConnectRequest) -> Principal:
        if not request.token:
            if self._options.allow_anonymous_connect_without_token:
                return Principal(user_id=ANONYMOUS)
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "token is missing")
        try:
            return await self._verified(request.token)
        except TokenExpired:
            raise Declined(ErrorCode.TOKEN_EXPIRED) from None

    async def _verified(self, token: str) -> Principal:
        """Whom an access token is for.

        Raises `TokenExpired`, `ProtocolViolation` or `Unavailable`.
        """
        try:
            return await self._verifier.verify(token)
        except TokenExpired:
            raise
        except Unauthenticated as error:
            log.info("access token refused", extra={"reason": error.message})
            raise ProtocolViolation(DisconnectCode.INVALID_TOKEN) from None
        except Denied:
            raise ProtocolViolation(DisconnectCode.PERMISSION_DENIED) from None

    def _wanted(self, principal: Principal) -> Mapping[str, ServerSubscription]:
        """The channels that a client finds itself subscribed to."""
        try:
            wanted = dict(server_subscriptions(principal))
        except Unauthenticated:
            raise ProtocolViolation(DisconnectCode.INVALID_TOKEN) from None
        if principal.user_id and self._namespaces.settings.subscribe_to_personal:
            wanted.setdefault(
                self._namespaces.personal_channel(principal.user_id), ServerSubscription()
            )
        if len(wanted) > self._channels:
            raise ProtocolViolation(DisconnectCode.CHANNEL_LIMIT)
        return wanted


def presence_of(connection: Connection, principal: Principal) -> Presence:
    """A connection as it is kept in its user's presence."""
    return Presence(principal.user_id or ANONYMOUS, connection.client, principal.info)
