"""One live connection: its protocol, its subscriptions, its limits."""

import asyncio
import math
import random
from collections import deque
from functools import partial
from math import inf

from kernel.identity import Principal
from kernel.ids import UserId
from messaging.channels.grants import Subscription
from messaging.connections.departures import Wire
from messaging.connections.host import Host
from messaging.connections.rates import Spent
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation, disconnect_for
from messaging.protocol.events import Refresh, Subscribe, Unsubscribe
from messaging.protocol.frames import Command, Event, Push, Result
from messaging.protocol.requests import ConnectRequest, RPCRequest, SubscribeRequest, Unfit
from messaging.protocol.results import ConnectResult, Error, RefreshResult, SubscribeResult
from messaging.protocol.server import Phase, ServerProtocol
from messaging.types import Caller

REREAD = 1.0
"""Seconds after which a client that was not read from is judged again."""

Lane = tuple[str, int]
"""Commands in the same lane run one after the other: a method, or one call of it."""


class Connection:
    """Runs commands in the order they came, and never lets one client hold up another.

    A command waits until those before it are done, except that RPCs run beside each other: a
    slow one holds up nobody who asks for something else. Calls of the same method wait for each
    other, unless the method keeps their order by itself. Nothing here raises into the transport
    or the hub.
    """

    __slots__ = (
        "_kept", "_paused", "_running", "_subscriptions_due", "_waiting", "caller", "client",
        "host", "is_open", "principal", "protocol", "spent", "subscriptions", "wire",
    )  # fmt: skip

    def __init__(self, host: Host, wire: Wire, *, client: str) -> None:
        now = host.clock.monotonic()
        self.client = client
        self.wire = wire
        self.principal: Principal | None = None
        self.caller: Caller | None = None
        self.protocol = ServerProtocol(wire.codec, rules=host.rules, now=now)
        self.subscriptions: dict[str, Subscription] | None = None
        """By channel, also those that are being set up."""
        self._subscriptions_due = inf
        self.is_open = True
        self.host = host
        self._waiting: deque[Command] | None = None
        self._kept = 0  # Bytes of the frames that came since no command waited.
        self._running: dict[Lane | None, asyncio.Task[None]] | None = None
        self.spent: Spent | None = None
        self._paused = False
        host.wheel.by(wire, self.protocol.deadline)

    @property
    def user_id(self) -> UserId | None:
        """Whose connection this is, once it said so."""
        return None if self.principal is None else self.principal.user_id

    # --- from the transport --------------------------------------------------------------------

    def received(self, frame: bytes) -> None:
        """Take a frame of the client."""
        if not self.is_open:
            return
        if self.wire.departures.tap is not None:
            self.wire.departures.tap.heard(self.wire, frame)
        try:
            commands = self.protocol.receive(frame)
        except ProtocolViolation as violation:
            self.disconnect(violation.code, violation.reason)
            return
        if len(commands) == 1 and self._waiting is None and self._running is None:
            self._start(commands[0])
        elif commands:
            self._kept += len(frame)
            self._waiting = self._waiting or deque()
            self._waiting.extend(commands)
            self._advance()

    def tick(self, now: float) -> float | None:
        """Do what is due; when to call again."""
        if not self.is_open:
            return None
        try:
            ping = self.protocol.tick(now)
        except ProtocolViolation as violation:
            if self._paused and violation.code == DisconnectCode.NO_PONG:
                # It may have answered: we are the ones who do not read.
                return now + REREAD
            if violation.code == DisconnectCode.NO_PONG:
                self.host.vanished(self)
            self.disconnect(violation.code, violation.reason)
            return None
        if ping is not None:
            self.wire.ping(ping)
        if now >= self._subscriptions_due:
            self._end_expired(now)
        return min(self.protocol.deadline, self._subscriptions_due)

    def ponged(self) -> None:
        """What carries the frames answered its ping."""
        if self.is_open and self.protocol.phase is Phase.CONNECTED:
            self.protocol.ponged()

    def slow(self) -> None:
        """The client does not read what it is sent."""
        self.host.vanished(self)
        self.disconnect(DisconnectCode.SLOW)

    def lost(self) -> None:
        """Nothing reaches the client any more."""
        if self.is_open:
            self.is_open = False
            self._waiting = None
            self.host.ended(self)

    # --- to the client -------------------------------------------------------------------------

    def accept(self, command: Command, result: ConnectResult, principal: Principal) -> None:
        """Answer `connect`: the connection is on."""
        if self.is_open:
            self.principal = principal
            self.wire.send(
                self.protocol.accept(
                    command,
                    result,
                    now=self.host.clock.monotonic(),
                    first_ping=random.uniform(0.5, 1.0),  # noqa: S311
                    native_pings=self.wire.native_pings,
                )
            )
            self.host.wheel.by(self.wire, self.protocol.deadline)

    def reply(self, command: Command, result: Result) -> None:
        """Answer a command."""
        if self.is_open:
            self.wire.send(self.protocol.reply(command, result))

    def refreshed(self, command: Command, result: RefreshResult) -> None:
        """Answer `refresh`."""
        if self.is_open:
            now = self.host.clock.monotonic()
            self.wire.send(self.protocol.refreshed(command, result, now=now))
            self.host.wheel.by(self.wire, self.protocol.deadline)

    def refuse(self, command: Command, error: Error) -> None:
        """Answer a command with an error. After a refused `connect` nothing else is done."""
        if self.wire.codec.one_way:
            self.disconnect(disconnect_for(error.code))
        elif self.is_open and command.id:
            now = self.host.clock.monotonic()
            self.wire.send(self.protocol.refuse(command, error, now=now))
            if self.protocol.phase is Phase.REFUSED:
                self._waiting = None
                self.host.wheel.by(self.wire, self.protocol.deadline)
            rates = self.host.rates
            if rates is not None and rates.gives_up(self, now):
                self.disconnect(rates.error_code)

    def unsubscribed(self, channel: str, code: int, reason: str) -> None:
        """Tell the client that the server ended a subscription."""
        self._push(Unsubscribe(code, reason), channel)

    def subscribed(self, channel: str, result: SubscribeResult) -> None:
        """Tell the client that the server subscribed it to a channel, and what it missed."""
        event = Subscribe(
            result.recoverable, result.epoch, result.offset, result.positioned, result.data
        )
        self._push(event, channel)
        for publication in result.publications:
            self._push(publication, channel)

    def prolong(self, seconds: float | None) -> None:
        """Let the connection expire in so many seconds, or never; the client is told.

        One that is not on yet has just shown when it does.
        """
        if self.is_open and self.protocol.phase is Phase.CONNECTED:
            now = self.host.clock.monotonic()
            self.protocol.expire(None if seconds is None else now + seconds)
            self._push(Refresh(seconds is not None, math.ceil(seconds or 0)))
            self.host.wheel.by(self.wire, self.protocol.deadline)

    def expire_subscription(self, subscription: Subscription, seconds: float) -> None:
        """Let a subscription end unless it is refreshed: as its client is told, and the grace."""
        now = self.host.clock.monotonic()
        subscription.expires_at = now + max(1.0, seconds) + self.host.options.expiry_grace_seconds
        self._subscriptions_due = min(self._subscriptions_due, subscription.expires_at)
        self.host.wheel.by(self.wire, self._subscriptions_due)

    def disconnect(self, code: int, reason: str = "") -> None:
        """Close the connection; clients take from the code whether they should come back."""
        if self.is_open:
            if not reason and isinstance(code, DisconnectCode):
                reason = code.reason
            if self.wire.departures.tap is not None:
                self.wire.departures.tap.closed(self.wire, code, reason)
            self.wire.close(code, reason)
            self.lost()

    def _push(self, event: Event, channel: str = "") -> None:
        if self.is_open:
            self.wire.send(self.wire.codec.encode_push(Push(event, channel)))

    def _end_expired(self, now: float) -> None:
        """End the subscriptions whose time is over, and see which is the next."""
        for channel, subscription in list((self.subscriptions or {}).items()):
            if now >= subscription.expires_at:
                self.host.expired(self, channel)
        due = [each.expires_at for each in (self.subscriptions or {}).values()]
        self._subscriptions_due = min(due, default=inf)

    # --- commands ------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Start whatever may start now."""
        while self.is_open and self._waiting:
            if self._running and not self._is_free(self._lane(self._waiting[0])):
                break
            self._start(self._waiting.popleft())
        waiting, options = len(self._waiting or ()), self.host.options
        if not waiting:
            self._waiting, self._kept = None, 0
        full = waiting >= options.commands_waiting or self._kept >= options.waiting_bytes
        if full is not self._paused:
            self._paused = full
            if full:
                self.wire.pause_reading()
            elif self.is_open:
                self.wire.resume_reading()

    def _lane(self, command: Command) -> Lane | None:
        """What must be done before the command may start; None is everything before it."""
        request = command.request
        if type(request) is not RPCRequest:
            return None
        return request.method, command.id if self.host.overlaps(request.method) else 0

    def _is_free(self, lane: Lane | None) -> bool:
        running = self._running or {}
        has_room = lane not in running and len(running) < self.host.options.rpcs_at_once
        return None not in running and (lane is None or has_room)

    def _start(self, command: Command) -> None:
        if (declined := self._limit(command)) is not None:
            self.refuse(command, declined)
            return
        try:
            if self.host.at_once(self, command):
                return
        except Exception as error:  # noqa: BLE001 - as for a task: how, is for the host to say
            self.host.failed(self, command, error)
            return
        lane = self._lane(command)
        task = self.wire.departures.loop.create_task(self.host.handle(self, command))
        task.add_done_callback(partial(self._finished, command, lane))
        if self._running is None:
            self._running = {lane: task}
        else:
            self._running[lane] = task

    def _finished(self, command: Command, lane: Lane | None, task: asyncio.Task[None]) -> None:
        assert self._running is not None
        del self._running[lane]
        if not self._running:
            self._running = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            self.host.failed(self, command, error)
        self._advance()

    def _limit(self, command: Command) -> Error | None:
        """Why a command is refused before anybody looks into it."""
        request = command.request
        if type(request) is ConnectRequest:
            return None
        if type(request) is Unfit:
            return Error(request.code, request.message)
        if type(request) is SubscribeRequest and self.subscriptions is not None:
            if request.channel in self.subscriptions:
                return Error.of(ErrorCode.ALREADY_SUBSCRIBED)
            if len(self.subscriptions) >= self.host.options.channels:
                return Error.of(ErrorCode.LIMIT_EXCEEDED)
        host = self.host
        if host.rates is not None and host.rates.refuses(self, request, host.clock.monotonic()):
            return Error.of(ErrorCode.TOO_MANY_REQUESTS)
        return None
