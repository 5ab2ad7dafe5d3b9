"""The protocol's numbers, what they say, and what clients make of them."""

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Self

REASON_BYTES = 123
"""A WebSocket close frame has no room for a longer reason."""


class ErrorCode(IntEnum):
    """Why a command is refused. The application's own codes are 400 to 1999.

    A temporary error makes clients repeat a connect or subscribe; after any other they give up.
    """

    message: str
    temporary: bool

    def __new__(cls, code: int, message: str, temporary: bool = False) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.message = message
        member.temporary = temporary
        return member

    INTERNAL = 100, "internal server error", True
    UNAUTHORIZED = 101, "unauthorized"
    UNKNOWN_CHANNEL = 102, "unknown channel"
    PERMISSION_DENIED = 103, "permission denied"
    METHOD_NOT_FOUND = 104, "method not found"
    ALREADY_SUBSCRIBED = 105, "already subscribed"
    LIMIT_EXCEEDED = 106, "limit exceeded"
    BAD_REQUEST = 107, "bad request"
    NOT_AVAILABLE = 108, "not available"
    TOKEN_EXPIRED = 109, "token expired"
    EXPIRED = 110, "expired"
    TOO_MANY_REQUESTS = 111, "too many requests", True
    UNRECOVERABLE_POSITION = 112, "unrecoverable position"


class UnsubscribeCode(IntEnum):
    """Why a subscription ends. Clients subscribe again at once from 2500 on."""

    reason: str

    def __new__(cls, code: int, reason: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.reason = reason
        return member

    SERVER = 2000, "server unsubscribe"
    INSUFFICIENT_STATE = 2500, "insufficient state"
    EXPIRED = 2501, "subscription expired"
    STATE_INVALIDATED = 2502, "state invalidated"

    @property
    def resubscribes(self) -> bool:
        """Whether clients subscribe again by themselves."""
        return self >= 2500


class DisconnectCode(IntEnum):
    """Why a connection is closed, as the WebSocket close code."""

    reason: str

    def __new__(cls, code: int, reason: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.reason = reason
        return member

    NORMAL = 3000, "connection closed"
    SHUTDOWN = 3001, "shutdown"
    INTERNAL = 3004, "internal server error"
    EXPIRED = 3005, "connection expired"
    SUBSCRIPTION_EXPIRED = 3006, "subscription expired"
    SLOW = 3008, "slow"
    WRITE_ERROR = 3009, "write error"
    INSUFFICIENT_STATE = 3010, "insufficient state"
    FORCE_RECONNECT = 3011, "force reconnect"
    NO_PONG = 3012, "no pong"
    TOO_MANY_REQUESTS = 3013, "too many requests"
    STATE_INVALIDATED = 3014, "state invalidated"
    INVALID_TOKEN = 3500, "invalid token"
    BAD_REQUEST = 3501, "bad request"
    STALE = 3502, "stale"
    FORCE_DISCONNECT = 3503, "force disconnect"
    CONNECTION_LIMIT = 3504, "connection limit"
    CHANNEL_LIMIT = 3505, "channel limit"
    INAPPROPRIATE_PROTOCOL = 3506, "inappropriate protocol"
    PERMISSION_DENIED = 3507, "permission denied"
    NOT_AVAILABLE = 3508, "not available"
    TOO_MANY_ERRORS = 3509, "too many errors"

    @property
    def reconnect(self) -> bool:
        """Whether clients come back by themselves."""
        return reconnects(self)


def unsubscribe_reason(code: int) -> str:
    """What an unsubscribe code says; the application's own say nothing."""
    return next((each.reason for each in UnsubscribeCode if each == code), "unsubscribed")


def disconnect_reason(code: int) -> str:
    """What a disconnect code says; the application's own say nothing."""
    return next((each.reason for each in DisconnectCode if each == code), "disconnected")


class ProtocolViolation(Exception):
    """The peer broke the protocol, or its time ran out: close with this code and reason."""

    def __init__(self, code: DisconnectCode, reason: str = "") -> None:
        self.code = code
        self.reason = reason or code.reason
        super().__init__(f"{self.reason} ({int(code)})")


def disconnect_for(error: int) -> DisconnectCode:
    """What a one-way connection is closed with, which can be told of no error."""
    return _DISCONNECTS.get(error, DisconnectCode.INTERNAL)


_DISCONNECTS: Final[Mapping[int, DisconnectCode]] = {
    ErrorCode.PERMISSION_DENIED: DisconnectCode.PERMISSION_DENIED,
    ErrorCode.TOKEN_EXPIRED: DisconnectCode.EXPIRED,
    ErrorCode.EXPIRED: DisconnectCode.EXPIRED,
    ErrorCode.TOO_MANY_REQUESTS: DisconnectCode.TOO_MANY_REQUESTS,
}


def reconnects(close_code: int) -> bool:
    """Whether clients come back after a WebSocket was closed with `close_code`.

    1009 (message too big) is the one transport code that ends it for good: the same message
    would only be sent again.
    """
    return close_code != 1009 and not (3500 <= close_code < 4000 or 4500 <= close_code < 5000)


def close_reason(text: str) -> str:
    """`text` as a close frame may carry it: at most 123 bytes, something, and no JSON.

    Clients take a reason that is JSON for an old form of advice and show garbage. Without a
    reason the JavaScript client does not look at the code, and always comes back.
    """
    encoded = text.encode(errors="replace")
    fitting = encoded[:REASON_BYTES].decode(errors="ignore")
    try:
        # The most lenient parser at hand: whatever it refuses, the clients' refuse as well.
        json.loads(fitting, strict=False)
    except ValueError:
        return fitting or disconnect_reason(0)
    return encoded[: REASON_BYTES - 1].decode(errors="ignore") + "."
