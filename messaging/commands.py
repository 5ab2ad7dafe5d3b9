"""Protocol command -> use case -> reply, and every way in which that can fail."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kernel.clock import Clock
from kernel.errors import Refusal, TokenExpired, Unauthenticated
from kernel.identity import Principal, TokenVerifier
from kernel.metrics import Metrics
from kernel.operations import AnyOperation, invalid_input
from messaging.access import Access, Answer
from messaging.connection import Connection
from messaging.gate import Gate
from messaging.history import History
from messaging.hub import Hub
from messaging.presence import PresenceKeeper, Presences
from messaging.protocol.codes import DisconnectCode, ErrorCode
from messaging.protocol.frames import Command
from messaging.protocol.requests import (
    ConnectRequest,
    HistoryRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    RPCRequest,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from messaging.protocol.results import (
    ConnectResult,
    PresenceResult,
    PresenceStatsResult,
    RefreshResult,
    RPCResult,
    UnsubscribeResult,
)
from messaging.protocol.values import ClientInfo
from messaging.publications import one_line
from messaging.quotas import ConnectionOptions
from messaging.rates import ConnectionRates, RateOptions
from messaging.refusals import Declined, answer_to
from messaging.subscriptions import Subscriptions
from messaging.types import Presence
from messaging.wheel import TimerWheel

log = logging.getLogger(__name__)

YEAR = 365 * 24 * 3600
"""Clients keep their timers in milliseconds; a longer time to live overflows them."""


class Commands:
    """What this node does for its connections. When in doubt an error is temporary."""

    def __init__(
        self,
        *,
        version: str,
        verifier: TokenVerifier,
        operations: Mapping[str, AnyOperation],
        hub: Hub,
        subscriptions: Subscriptions,
        access: Access,
        history: History,
        presences: Presences,
        keeper: PresenceKeeper,
        wheel: TimerWheel,
        clock: Clock,
        metrics: Metrics,
        connection_options: ConnectionOptions,
        gate: Gate,
        rate_options: RateOptions,
        on_send: Callable[[Principal, bytes], None] | None = None,
    ) -> None:
        self.clock = clock
        self.wheel = wheel
        self.options = connection_options
        self.rules = connection_options.rules()
        rates = ConnectionRates(rate_options, total=connection_options.total())
        self.rates = rates if rates else None
        self._version = version
        self._verifier = verifier
        self._operations = operations
        self._hub = hub
        self._subscriptions = subscriptions
        self._access = access
        self._history = history
        self._presences = presences
        self._keeper = keeper
        self._gate = gate
        self._on_send = on_send
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            name: msgspec.json.Decoder(operation.takes) for name, operation in operations.items()
        }
        self._encoder = msgspec.json.Encoder()
        self._handled = metrics.counter(
            "messaging_commands_total", "Commands by what was asked and how it ended.",
            ["command", "outcome"],
        )  # fmt: skip

    # --- what a connection needs of its node ---------------------------------------------------

    def overlaps(self, method: str) -> bool:
        operation = self._operations.get(method)
        return operation is not None and operation.pipelined

    async def handle(self, connection: Connection, command: Command) -> None:
        match command.request:
            case ConnectRequest() as request:
                await self._connect(connection, command, request)
            case SubscribeRequest() as request:
                async with self._gate.admitted():
                    await self._subscriptions.subscribe(connection, command, request)
            case UnsubscribeRequest(channel=channel):
                self._hub.quit(connection, channel)
                connection.reply(command, UnsubscribeResult())
            case RPCRequest() as request:
                await self._rpc(connection, command, request)
            case RefreshRequest() as request:
                await self._refresh(connection, command, request)
            case HistoryRequest() as request:
                await self._subscriptions.admit(connection, request.channel)
                connection.reply(command, await self._history.read(request))
            case PresenceRequest(channel=channel):
                await self._presence(connection, command, channel)
            case PresenceStatsRequest(channel=channel):
                await self._presence_stats(connection, command, channel)
            case PublishRequest(channel=channel):
                await self._publish(connection, channel)
            case SendRequest(data=data):
                self._send(connection, data)
            case SubRefreshRequest(channel=channel):
                self._sub_refresh(connection, channel)
            case _:
                raise Declined(ErrorCode.NOT_AVAILABLE)
        self._handled.labels(_name(command), "done").inc()

    def failed(self, connection: Connection, command: Command, error: BaseException) -> None:
        answer = answer_to(command, error)
        if answer.code == ErrorCode.INTERNAL and not isinstance(error, Refusal):
            log.error(
                "command failed",
                extra={"command": _name(command), "user_id": connection.user_id},
                exc_info=error,
            )
        self._handled.labels(_name(command), str(answer.code)).inc()
        connection.refuse(command, answer)

    def ended(self, connection: Connection) -> None:
        self._hub.leave(connection)
        if connection.principal is not None:
            self._keeper.left(_presence_of(connection, connection.principal))

    # --- command by command --------------------------------------------------------------------

    async def _connect(
        self, connection: Connection, command: Command, request: ConnectRequest
    ) -> None:
        if not request.token:
            connection.disconnect(DisconnectCode.BAD_REQUEST, "token is missing")
            return
        async with self._gate.admitted():
            try:
                principal = await self._verifier.verify(request.token)
            except TokenExpired:
                raise Declined(ErrorCode.TOKEN_EXPIRED) from None
            except Unauthenticated:
                connection.disconnect(DisconnectCode.INVALID_TOKEN)
                return
        if principal.user_id is None:
            connection.disconnect(DisconnectCode.INVALID_TOKEN)
            return
        ttl = self._ttl(principal)
        result = ConnectResult(
            client=connection.client,
            version=self._version,
            expires=ttl > 0,
            ttl=ttl,
            session=connection.wire.session,
            node=connection.wire.node,
        )
        if connection.is_open:
            connection.accept(command, result, principal)
            self._hub.enter(connection)
            self._keeper.entered(_presence_of(connection, principal))

    async def _refresh(
        self, connection: Connection, command: Command, request: RefreshRequest
    ) -> None:
        try:
            principal = await self._verifier.verify(request.token)
        except TokenExpired:
            connection.disconnect(DisconnectCode.EXPIRED)
            return
        except Unauthenticated:
            connection.disconnect(DisconnectCode.INVALID_TOKEN)
            return
        if principal.user_id != connection.user_id:
            connection.disconnect(DisconnectCode.INVALID_TOKEN)
            return
        connection.principal = principal
        ttl = self._ttl(principal)
        result = RefreshResult(
            client=connection.client, version=self._version, expires=ttl > 0, ttl=ttl
        )
        connection.reply(command, result)

    async def _rpc(self, connection: Connection, command: Command, request: RPCRequest) -> None:
        operation = self._operations.get(request.method)
        if operation is None:
            raise Declined(ErrorCode.METHOD_NOT_FOUND)
        assert connection.principal is not None, "nothing is asked before connect"
        try:
            asked = self._decoders[request.method].decode(request.data or b"{}")
        except msgspec.ValidationError as error:
            raise invalid_input(error) from None
        given = await operation.run(connection.principal, asked)
        connection.reply(command, RPCResult(one_line(self._encoder.encode(given))))

    async def _presence(self, connection: Connection, command: Command, channel: str) -> None:
        present = await self._present(connection, channel)
        connection.reply(
            command,
            PresenceResult(
                {
                    client: ClientInfo(each.user_id, client, conn_info=each.info or b"")
                    for client, each in present.items()
                }
            ),
        )

    async def _presence_stats(self, connection: Connection, command: Command, channel: str) -> None:
        present = await self._present(connection, channel)
        users = {each.user_id for each in present.values()}
        connection.reply(command, PresenceStatsResult(len(present), len(users)))

    async def _present(self, connection: Connection, channel: str) -> Mapping[str, Presence]:
        await self._subscriptions.admit(connection, channel)
        return await self._presences.connections(await self._access.users_of(channel))

    async def _publish(self, connection: Connection, channel: str) -> None:
        """Nothing is published past the use cases: what a message is, they decide."""
        answer = await self._access.may_listen(_principal(connection).user, channel)
        if answer is Answer.UNKNOWN:
            raise Declined(ErrorCode.UNKNOWN_CHANNEL)
        raise Declined(ErrorCode.PERMISSION_DENIED)

    def _send(self, connection: Connection, data: bytes) -> None:
        if self._on_send is None:
            connection.disconnect(DisconnectCode.NOT_AVAILABLE)
        else:
            self._on_send(_principal(connection), data)

    def _sub_refresh(self, connection: Connection, channel: str) -> None:
        """Subscriptions have no tokens of their own, so there is none to refresh."""
        if channel not in (connection.subscriptions or ()):
            raise Declined(ErrorCode.PERMISSION_DENIED)
        raise Declined(ErrorCode.NOT_AVAILABLE)

    # --- shared ----------------------------------------------------------------------------------

    def _ttl(self, principal: Principal) -> int:
        """Seconds until the connection needs a fresh token; 0 is never."""
        if principal.expires_at is None:
            return 0
        seconds = (principal.expires_at - self.clock.now()).total_seconds()
        return max(1, min(YEAR, math.ceil(seconds)))


def _name(command: Command) -> str:
    return type(command.request).__name__.removesuffix("Request").lower()


def _principal(connection: Connection) -> Principal:
    assert connection.principal is not None, "nothing is asked before connect"
    return connection.principal


def _presence_of(connection: Connection, principal: Principal) -> Presence:
    return Presence(principal.user, connection.client, principal.info)
