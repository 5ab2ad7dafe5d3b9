"""Protocol command -> use case -> reply, and every way in which that can fail."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.identity import Principal, is_api_key
from kernel.metrics import Metrics
from messaging.access import Action
from messaging.commands.connecting import Connecting, presence_of
from messaging.commands.doors import Doors
from messaging.commands.gate import Gate
from messaging.commands.procedures import Procedures
from messaging.commands.servers import BackEnds, Servers
from messaging.commands.subscriptions import Subscriptions
from messaging.connections.connection import Connection
from messaging.connections.quotas import ConnectionOptions
from messaging.connections.rates import KINDS, ConnectionRates, RateOptions
from messaging.connections.user_rates import UserRates
from messaging.connections.wheel import TimerWheel
from messaging.hub import Hub
from messaging.presence.attendance import AttendanceBook, info_of
from messaging.presence.presence import Keeper
from messaging.presence.vanishing import Vanishings
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation, UnsubscribeCode
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
    PresenceResult,
    PresenceStatsResult,
    PublishResult,
    UnsubscribeResult,
)
from messaging.publishing.history import History
from messaging.publishing.publishing import Publishing, Words
from messaging.refusals import Declined, answer_to
from messaging.types import Presence

log = logging.getLogger(__name__)


class Commands:
    """What this node does for its connections. When in doubt an error is temporary."""

    def __init__(
        self,
        *,
        connecting: Connecting,
        procedures: Procedures,
        back_ends: BackEnds,
        hub: Hub,
        subscriptions: Subscriptions,
        doors: Doors,
        publishing: Publishing,
        history: History,
        attendance: AttendanceBook,
        keeper: Keeper[Presence],
        vanishings: Vanishings,
        wheel: TimerWheel,
        clock: Clock,
        metrics: Metrics,
        connection_options: ConnectionOptions,
        gate: Gate,
        rate_options: RateOptions,
        user_rates: UserRates | None = None,
        on_send: Callable[[Principal, bytes], None] | None = None,
    ) -> None:
        self.clock = clock
        self.wheel = wheel
        self.options = connection_options
        self.rules = connection_options.rules()
        rates = ConnectionRates(rate_options, metrics=metrics, total=connection_options.total())
        self.rates = rates if rates else None
        self._user_rates = user_rates
        self._connecting = connecting
        self._procedures = procedures
        self._hub = hub
        self._subscriptions = subscriptions
        self._doors = doors
        self._publishing = publishing
        self._history = history
        self._attendance = attendance
        self._keeper = keeper
        self._vanishings = vanishings
        self._gate = gate
        self._on_send = on_send
        self._handled = metrics.counter(
            "messaging_commands_total", "Commands by what was asked and how it ended.",
            ["command", "outcome"],
        )  # fmt: skip
        self._done = {
            kind: metrics.local_counter(self._handled.labels(_name_of(kind), "done"))
            for kind in KINDS
        }
        self._servers = Servers(self, back_ends, hub=hub, gate=gate)

    # --- what a connection needs of its node ---------------------------------------------------

    def overlaps(self, method: str) -> bool:
        return self._procedures.overlaps(method)

    def at_once(self, connection: Connection, command: Command) -> bool:
        request = command.request
        if self._user_rates is not None and self._user_rates.concern(request):
            return False
        if type(request) is RPCRequest:
            if request.method not in self._procedures.never_wait:
                return False
            result = self._procedures.call_at_once(_principal(connection), request)
            connection.reply(command, result)
        elif type(request) is PublishRequest:
            if not self._publishing.is_passing(request.channel):
                return False
            _at_once(self._publish(connection, command, request))
        elif type(request) is SubscribeRequest:
            if not (self._gate.has_room and self._subscriptions.is_quick(request)):
                return False
            _at_once(self._subscriptions.subscribe(connection, command, request))
        elif type(request) is ConnectRequest:
            if is_api_key(request.token):
                return False
            if not self._connecting.at_once(connection, command, request):
                return False
        else:
            return False
        self._done[type(request)].count += 1
        return True

    async def handle(self, connection: Connection, command: Command) -> None:
        if self._user_rates is not None:
            await self._user_rates.demand(connection.user_id, command.request)
        match command.request:
            case ConnectRequest(token=token) as request if is_api_key(token):
                await self._servers.connect(connection, command, request)
            case ConnectRequest() as request:
                await self._connecting.connect(connection, command, request)
            case SubscribeRequest() as request:
                async with self._gate.admitted():
                    await self._subscriptions.subscribe(connection, command, request)
            case UnsubscribeRequest(channel=channel):
                self._hub.quit(connection, channel)
                connection.reply(command, UnsubscribeResult())
            case RPCRequest() as request:
                await self._rpc(connection, command, request)
            case RefreshRequest() as request:
                await self._connecting.refresh(connection, command, request)
            case HistoryRequest() as request:
                await self._doors.demand(Action.HISTORY, connection, request.channel)
                connection.reply(command, await self._history.read(request))
            case PresenceRequest(channel=channel):
                await self._presence(connection, command, channel)
            case PresenceStatsRequest(channel=channel):
                await self._presence_stats(connection, command, channel)
            case PublishRequest() as request:
                await self._publish(connection, command, request)
            case SendRequest(data=data):
                self._send(connection, data)
            case SubRefreshRequest() as request:
                await self._subscriptions.refresh(connection, command, request)
            case _:
                raise Declined(ErrorCode.NOT_AVAILABLE)
        self.done(command)

    def done(self, command: Command) -> None:
        """Count a command that was answered."""
        self._done[type(command.request)].count += 1

    def failed(self, connection: Connection, command: Command, error: BaseException) -> None:
        if isinstance(error, ProtocolViolation):
            self._handled.labels(_name(command), str(int(error.code))).inc()
            connection.disconnect(error.code, error.reason)
            return
        answer = answer_to(command, error)
        if answer.code == ErrorCode.INTERNAL and not isinstance(error, Refusal):
            log.error(
                "command failed",
                extra={"command": _name(command), "user_id": connection.user_id},
                exc_info=error,
            )
        self._handled.labels(_name(command), str(answer.code)).inc()
        connection.refuse(command, answer)

    def expired(self, connection: Connection, channel: str) -> None:
        self._hub.dismiss(connection, channel, UnsubscribeCode.EXPIRED)

    def vanished(self, connection: Connection) -> None:
        if connection.user_id is not None:
            self._vanishings.vanished(connection.user_id)

    def ended(self, connection: Connection) -> None:
        self._hub.leave(connection)
        if connection.principal is not None:
            self._keeper.left(presence_of(connection, connection.principal))

    # --- command by command --------------------------------------------------------------------

    async def _rpc(self, connection: Connection, command: Command, request: RPCRequest) -> None:
        result = await self._procedures.call(_principal(connection), request)
        connection.reply(command, result)

    async def _presence(self, connection: Connection, command: Command, channel: str) -> None:
        await self._doors.demand(Action.PRESENCE, connection, channel)
        there = await self._attendance.members(channel)
        connection.reply(command, PresenceResult(dict(there)))

    async def _presence_stats(self, connection: Connection, command: Command, channel: str) -> None:
        await self._doors.demand(Action.PRESENCE, connection, channel)
        clients, users = await self._attendance.counts(channel)
        connection.reply(command, PresenceStatsResult(clients, users))

    async def _publish(
        self, connection: Connection, command: Command, request: PublishRequest
    ) -> None:
        channel = request.channel
        await self._doors.demand(Action.PUBLISH, connection, channel)
        subscription = (connection.subscriptions or {}).get(channel)
        info = info_of(connection, subscription.grant if subscription else None)
        await self._publishing.publish(channel, Words(request.data, info=info))
        connection.reply(command, PublishResult())

    def _send(self, connection: Connection, data: bytes) -> None:
        if self._on_send is None:
            connection.disconnect(DisconnectCode.NOT_AVAILABLE)
        else:
            self._on_send(_principal(connection), data)


def _name(command: Command) -> str:
    return _name_of(type(command.request))


def _name_of(kind: type) -> str:
    return kind.__name__.removesuffix("Request").lower()


def _at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError(f"{coroutine} was to be done at once, and waits")


def _principal(connection: Connection) -> Principal:
    assert connection.principal is not None, "nothing is asked before connect"
    return connection.principal
