"""The server's side of one connection: what may be said when, and what time demands."""

from dataclasses import dataclass
from enum import IntEnum
from math import inf

import msgspec

from messaging.protocol.codec import Codec, is_payload
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation
from messaging.protocol.frames import (
    Command,
    ConnectRequest,
    ConnectResult,
    Error,
    PingRequest,
    PublishRequest,
    RefreshResult,
    Reply,
    Request,
    Result,
    RPCRequest,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    Unfit,
)

CHANNEL_BYTES = 255
"""Longer channel names are declined before anything looks at them."""

_UNFIT_PAYLOAD = Unfit(ErrorCode.BAD_REQUEST, "data must be JSON text")
_UNFIT_CHANNEL = Unfit(ErrorCode.BAD_REQUEST, f"channel is longer than {CHANNEL_BYTES} bytes")
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

    def receive(self, frame: bytes, *, now: float) -> list[Command]:
        """The commands of a frame, in order, pongs taken out.

        What the protocol itself declines comes as a command whose request is `Unfit`.
        """
        commands = self.codec.decode_commands(frame, limit=self.rules.commands_per_frame)
        return [_checked(command) for command in commands if self._expects(command, now)]

    def accept(
        self, command: Command, result: ConnectResult, *, now: float, first_ping: float
    ) -> bytes:
        """Answer `connect`: from now on the connection is on.

        `first_ping` says after which part of the interval the first ping goes, 0.5 to 1: drawn
        at random, it keeps connections that were made together from being pinged together.
        """
        assert self.phase is Phase.CONNECTING, "there is no connect to answer"
        assert 0.5 <= first_ping <= 1.0, "the first ping goes after half to all of the interval"
        self.phase = Phase.CONNECTED
        every = self.rules.ping_every
        if every:
            self._ping_at = now + every * first_ping
            result = msgspec.structs.replace(result, ping=every, pong=True)
        self.expire(now + result.ttl if result.expires else None)
        return self.codec.encode_reply(Reply(command.id, result))

    def reply(self, command: Command, result: Result, *, now: float) -> bytes:
        """Answer a command. Answering a refresh sets when the connection expires."""
        assert self.phase is Phase.CONNECTED, "connect must be answered first, by accept or refuse"
        if type(result) is RefreshResult:
            self.expire(now + result.ttl if result.expires else None)
        return self.codec.encode_reply(Reply(command.id, result))

    def refuse(self, command: Command, error: Error) -> bytes:
        """Answer a command with an error. A refused connect ends the conversation."""
        if self.phase is Phase.CONNECTING:
            self.phase = Phase.REFUSED
        return self.codec.encode_reply(Reply(command.id, error))

    def expire(self, at: float | None) -> None:
        """From `at` on the connection needs a fresh token; with None it never does."""
        self._expires_at = inf if at is None else at + self.rules.expiry_grace
        self._settle_deadline()

    def tick(self, now: float) -> bytes | None:
        """Do what is due: a ping to send, or nothing. Raises when the peer's time is up."""
        if now < self.deadline:
            return None
        if self.phase is Phase.NEW:
            raise ProtocolViolation(DisconnectCode.STALE)
        if now >= self._expires_at:
            raise ProtocolViolation(DisconnectCode.EXPIRED)
        if now >= self._pong_by:
            raise ProtocolViolation(DisconnectCode.NO_PONG)
        self._ping_at = now + self.rules.ping_every
        self._pong_by = now + self.rules.pong_within
        self._settle_deadline()
        return self.codec.ping
