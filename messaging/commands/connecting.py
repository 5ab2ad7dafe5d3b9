"""Connecting: who is it, what are they subscribed to, and how long may they stay."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kernel.clock import Clock
from kernel.errors import Denied, TokenExpired, Unauthenticated
from kernel.identity import ANONYMOUS, Principal, TokenVerifier
from kernel.ids import UserId
from kernel.options import option
from messaging.channels.namespaces import Namespaces
from messaging.commands.gate import Gate
from messaging.commands.server_side import Prepared, ServerSide
from messaging.commands.subscriptions import ttl_of
from messaging.connections.connection import Connection
from messaging.connections.connections import caller_of
from messaging.connections.user_rates import UserRates
from messaging.hub import Hub
from messaging.nodes import control
from messaging.presence.attendance import Attendances
from messaging.presence.presence import Keeper
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation
from messaging.protocol.frames import Command
from messaging.protocol.requests import ConnectRequest, RefreshRequest
from messaging.protocol.results import ConnectResult, RefreshResult
from messaging.refusals import Declined
from messaging.tokens import ServerSubscription, payload_of, server_subscriptions
from messaging.types import Presence

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectingOptions:
    """Who may connect."""

    allow_anonymous_connect_without_token: bool = option(
        False, "Clients may connect without an access token; they are nobody in particular."
    )
    disallow_anonymous_connection_tokens: bool = option(
        False, "Access tokens must name a user; others close the connection with 3507."
    )
    user_connection_limit: int = option(
        0, "Connections of one user to one node, at most; one more is closed with 3504. 0 is all."
    )

    def __post_init__(self) -> None:
        if self.user_connection_limit < 0:
            raise ValueError("user_connection_limit must not be negative")


class Connecting:
    """Lets clients in, and lets them stay."""

    def __init__(
        self,
        *,
        version: str,
        verifier: TokenVerifier,
        hub: Hub,
        attendances: Attendances,
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
        self._attendances = attendances
        self._server_side = server_side
        self._keeper = keeper
        self._namespaces = namespaces
        self._gate = gate
        self._clock = clock
        self._channels = channels
        self._options = options
        self._user_rates = user_rates
        hub.refreshing = self.obey

    def at_once(self, connection: Connection, command: Command, request: ConnectRequest) -> bool:
        """Answer `connect` if nothing must be waited for; otherwise False, and `connect` does it.

        Raises the same.
        """
        principal = self._who_at_once(request) if self._gate.has_room else None
        if principal is None:
            return False
        if self._wanted(principal, request):
            connection.principal = principal
            return False
        self._enter(connection, principal, request)
        self._begin(connection, command, principal, [])
        return True

    async def connect(
        self, connection: Connection, command: Command, request: ConnectRequest
    ) -> None:
        """Answer `connect`.

        Raises `ProtocolViolation`, `Declined` or `Unavailable`: the last two are temporary but
        for a token that has expired.
        """
        with self._server_side.connecting(connection):
            async with self._gate.admitted():
                # It may have been found out already, at once.
                principal = connection.principal or await self._who(request)
                assert principal.user_id is not None
                if self._user_rates is not None:
                    await self._user_rates.demand(principal.user_id, request)
                if not connection.is_open:
                    return
                self._enter(connection, principal, request)
                wanted = self._wanted(principal, request)
                prepared = (
                    await self._server_side.prepare(
                        connection, principal.user_id, wanted, request.subs
                    )
                    if wanted
                    else []
                )
            if connection.is_open:
                self._begin(connection, command, principal, prepared)
            else:
                self._hub.leave(connection)

    def _enter(self, connection: Connection, principal: Principal, request: ConnectRequest) -> None:
        """From here on orders find the connection, unless its user has too many."""
        self._demand_room(principal.user_id or ANONYMOUS)
        connection.principal = principal
        connection.caller = caller_of(request, self._clock.now())
        self._hub.roster.enter(connection)

    def _begin(
        self,
        connection: Connection,
        command: Command,
        principal: Principal,
        prepared: list[Prepared],
    ) -> None:
        """Nothing here waits: what was prepared holds until the next turn."""
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
        connection.accept(command, result, principal)
        self._server_side.join(connection, joining)
        self._keeper.entered(presence_of(connection, principal))

    async def refresh(
        self, connection: Connection, command: Command, request: RefreshRequest
    ) -> None:
        """Answer `refresh`. Raises `ProtocolViolation` or `Unavailable`.

        A token that subscribes its connection to other channels than the one before makes the
        client connect anew, and so find itself in them.
        """
        try:
            principal = await self._verifier.verify(request.token)
        except TokenExpired:
            raise ProtocolViolation(DisconnectCode.EXPIRED) from None
        except (Unauthenticated, Denied) as error:
            raise _refusal(error) from None
        before = connection.principal
        if not connection.is_open:
            return
        if before is None or principal.user_id != before.user_id:
            raise ProtocolViolation(DisconnectCode.INVALID_TOKEN)
        if _subscribed_by(principal).keys() != _subscribed_by(before).keys():
            raise ProtocolViolation(DisconnectCode.INSUFFICIENT_STATE)
        connection.principal = principal
        if principal.info != before.info:
            self._introduce(connection, principal)
        ttl = ttl_of(principal.expires_at, self._clock.now())
        result = RefreshResult(
            client=connection.client, version=self._version, expires=ttl > 0, ttl=ttl
        )
        connection.refreshed(command, result)

    def obey(self, connection: Connection, order: control.Refresh) -> None:
        """Let a connection expire at another time, or now, because the application says so."""
        seconds = order.expire_at - self._clock.now().timestamp() if order.expire_at else None
        if order.expired or (seconds is not None and seconds <= 0):
            connection.disconnect(DisconnectCode.EXPIRED)
            return
        connection.prolong(seconds)
        info = payload_of(order.info, "")
        if info and connection.principal is not None:
            connection.principal = replace(connection.principal, info=info)
            self._introduce(connection, connection.principal)

    def _introduce(self, connection: Connection, principal: Principal) -> None:
        """Let others see what is said of a user now."""
        self._keeper.entered(presence_of(connection, principal))
        for channel, subscription in (connection.subscriptions or {}).items():
            self._attendances.known_as(connection, channel, subscription.grant)

    def _who_at_once(self, request: ConnectRequest) -> Principal | None:
        """Who connects, unless it must be waited for."""
        if not request.token:
            return self._nobody()
        try:
            principal = self._verifier.verify_at_once(request.token)
        except (Unauthenticated, Denied) as error:
            raise _refusal(error) from None
        return None if principal is None else self._welcome(principal)

    async def _who(self, request: ConnectRequest) -> Principal:
        if not request.token:
            return self._nobody()
        try:
            principal = await self._verifier.verify(request.token)
        except (Unauthenticated, Denied) as error:
            raise _refusal(error) from None
        return self._welcome(principal)

    def _nobody(self) -> Principal:
        if self._options.allow_anonymous_connect_without_token:
            return Principal(user_id=ANONYMOUS)
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "token is missing")

    def _welcome(self, principal: Principal) -> Principal:
        if not principal.user_id and self._options.disallow_anonymous_connection_tokens:
            raise ProtocolViolation(DisconnectCode.PERMISSION_DENIED)
        return principal

    def _demand_room(self, user_id: UserId) -> None:
        """Refuse a user who has as many connections as one may."""
        limit = self._options.user_connection_limit
        if limit and user_id and len(self._hub.roster.of_user(user_id)) >= limit:
            raise ProtocolViolation(DisconnectCode.CONNECTION_LIMIT)

    def _wanted(
        self, principal: Principal, request: ConnectRequest
    ) -> Mapping[str, ServerSubscription]:
        """The channels that a client finds itself subscribed to."""
        wanted = dict(_subscribed_by(principal))
        if principal.user_id and self._namespaces.settings.subscribe_to_personal:
            wanted.setdefault(
                self._namespaces.personal_channel(principal.user_id), ServerSubscription()
            )
        if len(wanted) > self._channels:
            raise ProtocolViolation(DisconnectCode.CHANNEL_LIMIT)
        # One-way clients cannot subscribe, but they can say what they would subscribe to.
        for channel in list(request.subs)[: self._channels - len(wanted)]:
            wanted.setdefault(channel, ServerSubscription(asked=True))
        return wanted


def _refusal(error: Unauthenticated | Denied) -> Exception:
    """What a client is told whose access token was refused."""
    if isinstance(error, TokenExpired):
        return Declined(ErrorCode.TOKEN_EXPIRED)
    if isinstance(error, Denied):
        return ProtocolViolation(DisconnectCode.PERMISSION_DENIED)
    log.info("access token refused", extra={"reason": error.message})
    return ProtocolViolation(DisconnectCode.INVALID_TOKEN)


def _subscribed_by(principal: Principal) -> Mapping[str, ServerSubscription]:
    """The channels that a token subscribes its connection to."""
    try:
        return server_subscriptions(principal)
    except Unauthenticated:
        raise ProtocolViolation(DisconnectCode.INVALID_TOKEN) from None


def presence_of(connection: Connection, principal: Principal) -> Presence:
    """A connection as it is kept in its user's presence."""
    return Presence(principal.user_id or ANONYMOUS, connection.client, principal.info)
