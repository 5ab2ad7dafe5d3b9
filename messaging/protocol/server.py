"""The server's side of one connection: what may be said when, and what time demands."""

from dataclasses import dataclass
from enum import IntEnum
from math import inf
from typing import Final

import msgspec

from messaging.protocol.codec import Codec
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation
from messaging.protocol.frames import Command, Reply, Request, Result
from messaging.protocol.requests import (
    ConnectRequest,
    PingRequest,
    PublishRequest,
    RefreshRequest,
    RPCRequest,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    Unfit,
)
from messaging.protocol.results import ConnectResult, Error, RefreshResult

CHANNEL_BYTES = 255
"""Longer channel names are declined before anything looks at them."""

_UNFIT_PAYLOAD = Unfit(ErrorCode.BAD_REQUEST, "data must be JSON text")
_UNFIT_CHANNEL = Unfit(ErrorCode.BAD_REQUEST, f"channel must be text of 1 to {CHANNEL_BYTES} bytes")
_UNFIT_TOKEN = Unfit(ErrorCode.BAD_REQUEST, "token is missing")
_UNFIT_FILTER = Unfit(ErrorCode.BAD_REQUEST, "tag filters are not supported")
_NOT_AVAILABLE = Unfit(ErrorCode.NOT_AVAILABLE, ErrorCode.NOT_AVAILABLE.message)


@dataclass(frozen=True, slots=True)
class Rules:
    """What all connections of a server have in common. Times are in seconds.

    `ping_every` 0 sends no pings. `expiry_grace` is how long after its token's end a connection
    may still be refreshed.
    """

    ping_every: int = 25
    pong_within: float = 8.0
    connect_within: float = 15.0
    expiry_grace: float = 25.0
    commands_per_frame: int = 512

    def __post_init__(self) -> None:
        if self.ping_every < 0:
            raise ValueError("ping_every must not be negative")
        if self.ping_every and not 0 < self.pong_within < self.ping_every:
            raise ValueError("pong_within must be positive and less than ping_every")
        if self.connect_within <= 0 or self.expiry_grace < 0:
            raise ValueError("connect_within must be positive, expiry_grace not negative")
        if self.commands_per_frame < 1:
            raise ValueError("commands_per_frame must be at least 1")


class Phase(IntEnum):
    """How far a connection has come."""

    NEW = 0
    CONNECTING = 1
    CONNECTED = 2
    REFUSED = 3


# Asking an enumeration for a member takes seven times as long as a name, before Python 3.12.
_CONNECTED: Final = Phase.CONNECTED


class ServerProtocol:
    """One connection, seen from the server.

    The first command must be `connect`; it comes back from `receive` with whatever else was in
    its frame, and the caller answers it before it touches the rest. A caller whose `connect`
    was refused drops the rest. Call `tick` at `deadline`.
    """

    __slots__ = ("_expires_at", "_ping_at", "_pong_by", "codec", "deadline", "phase", "rules")

    def __init__(self, codec: Codec, *, rules: Rules, now: float) -> None:
        self.codec = codec
        self.rules = rules
        self.phase = Phase.NEW
        self.deadline = now + rules.connect_within
        self._ping_at = inf
        self._pong_by = inf
        self._expires_at = inf

    def receive(self, frame: bytes) -> list[Command]:
        """The commands of a frame, in order, pongs taken out.

        What the protocol itself declines comes as a command whose request is `Unfit`. On a
        one-way connection nothing is heard after the connect.
        """
        if self.codec.one_way and self.phase is not Phase.NEW:
            return []
        commands = []
        for command in self.codec.decode_commands(frame, limit=self.rules.commands_per_frame):
            request = command.request
            if type(request) is RPCRequest and self.phase is _CONNECTED and command.id:
                # What `_advance` and `_checked` would find, sooner: nothing is asked as often.
                is_fit = not request.data or self.codec.is_payload(request.data)
                commands.append(command if is_fit else Command(command.id, _UNFIT_PAYLOAD))
            elif command.id == 0 and type(command.request) is not SendRequest:
                self.ponged()
            else:
                self._advance(command)
                commands.append(_checked(command, self.codec))
        return commands

    def accept(
        self,
        command: Command,
        result: ConnectResult,
        *,
        now: float,
        first_ping: float,
        native_pings: bool = False,
    ) -> bytes:
        """Answer `connect`: from now on the connection is on.

        With `native_pings` what carries the frames pings as well, so the client hears of none;
        the caller sends those instead, and calls `ponged`.

        `first_ping` says after which part of the interval the first ping goes, 0.5 to 1: drawn
        at random, it keeps connections that were made together from being pinged together.
        """
        assert self.phase is Phase.CONNECTING, "there is no connect to answer"
        assert 0.5 <= first_ping <= 1.0, "the first ping goes after half to all of the interval"
        self.phase = Phase.CONNECTED
        every = self.rules.ping_every
        if every:
            self._ping_at = now + every * first_ping
            if not native_pings:
                pong = not self.codec.one_way
                result = msgspec.structs.replace(result, ping=every, pong=pong)
        self.expire(now + result.ttl if result.expires else None)
        return self.codec.encode_reply(Reply(command.id, result))

    def reply(self, command: Command, result: Result) -> bytes:
        """Answer a command other than `connect` and `refresh`."""
        assert self.phase is _CONNECTED, "connect must be answered first, by accept or refuse"
        return self.codec.encode_reply(Reply(command.id, result))

    def refreshed(self, command: Command, result: RefreshResult, *, now: float) -> bytes:
        """Answer `refresh`: it says when the connection expires."""
        self.expire(now + result.ttl if result.expires else None)
        return self.reply(command, result)

    def refuse(self, command: Command, error: Error | Unfit, *, now: float) -> bytes:
        """Answer a command with an error. A refused connect ends the conversation.

        Its client closes the connection by itself, or is stale before long.
        """
        assert self.phase in (Phase.CONNECTING, Phase.CONNECTED), "there is nothing to refuse"
        if isinstance(error, Unfit):
            error = Error(error.code, error.message)
        if self.phase is Phase.CONNECTING:
            self.phase = Phase.REFUSED
            self.deadline = now + self.rules.connect_within
        return self.codec.encode_reply(Reply(command.id, error))

    def expire(self, at: float | None) -> None:
        """From `at` on the connection needs a fresh token; with None it never does."""
        self._expires_at = inf if at is None else at + self.rules.expiry_grace
        self._settle_deadline()

    def tick(self, now: float) -> bytes | None:
        """Do what is due: a ping to send, or nothing. Raises when the peer's time is up."""
        if now < self.deadline:
            return None
        if self.phase is not Phase.CONNECTED:
            raise ProtocolViolation(DisconnectCode.STALE)
        if now >= self._expires_at:
            raise ProtocolViolation(DisconnectCode.EXPIRED)
        if now >= self._pong_by:
            raise ProtocolViolation(DisconnectCode.NO_PONG)
        self._ping_at = now + self.rules.ping_every
        if not self.codec.one_way:
            self._pong_by = now + self.rules.pong_within
        self._settle_deadline()
        return self.codec.ping

    def ponged(self) -> None:
        """Believe the client for another interval. A pong nobody asked for does no harm."""
        if self.phase is Phase.NEW:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "connect must come first")
        if self._pong_by != inf:
            self._pong_by = inf
            self._settle_deadline()

    def _advance(self, command: Command) -> None:
        """Let a command move the connection on, or find that it comes at the wrong time."""
        is_connect = type(command.request) is ConnectRequest
        if self.phase is Phase.NEW and is_connect:
            self.phase = Phase.CONNECTING
            # How long connecting may take is for its handler to limit, not for the client.
            self.deadline = inf
        elif self.phase is Phase.NEW:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "connect must come first")
        elif self.phase is Phase.REFUSED:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "connect was refused")
        elif is_connect:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "connect must come only once")

    def _settle_deadline(self) -> None:
        self.deadline = min(self._ping_at, self._pong_by, self._expires_at)


def _checked(command: Command, codec: Codec) -> Command:
    """The command itself, or in its place an unfit one. Raises for what no client may send."""
    unfit = _fault(command.request, codec)
    if type(command.request) is SendRequest:
        # It has no reply, whatever id it was given: neither a result nor an error.
        return Command(0, command.request)
    return command if unfit is None else Command(command.id, unfit)


def _fault(request: Request | None, codec: Codec) -> Unfit | None:
    match request:
        case RPCRequest(data=data) | ConnectRequest(data=data):
            return _UNFIT_PAYLOAD if data and not codec.is_payload(data) else None
        case SubscribeRequest():
            return _subscribe_fault(request, codec)
        case PublishRequest(channel=channel, data=data):
            return _channel_fault(channel) or (None if codec.is_payload(data) else _UNFIT_PAYLOAD)
        case SendRequest(data=data):
            if data and not codec.is_payload(data):
                # A send has no reply that could tell the client.
                raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "data must be JSON text")
            return None
        case RefreshRequest(token=token):
            if not token:
                raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "token is missing")
            return None
        case SubRefreshRequest(channel=channel, token=token):
            if not token:
                return _UNFIT_TOKEN
            # Old Python clients leave the channel out; the token names it.
            return _channel_fault(channel) if channel else None
        case PingRequest():
            return _NOT_AVAILABLE
        case None | Unfit():
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "command asks for nothing")
        case _:
            return _channel_fault(request.channel)


def _subscribe_fault(request: SubscribeRequest, codec: Codec) -> Unfit | None:
    if request.delta not in ("", "fossil"):
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "delta is of an unknown kind")
    if fault := _channel_fault(request.channel):
        return fault
    if request.type:
        return _NOT_AVAILABLE
    if request.tf is not None:
        return _UNFIT_FILTER
    return _UNFIT_PAYLOAD if request.data and not codec.is_payload(request.data) else None


def _channel_fault(channel: str) -> Unfit | None:
    if not channel:
        raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "channel is missing")
    if len(channel.encode()) > CHANNEL_BYTES or "\0" in channel:
        return _UNFIT_CHANNEL
    return None
