"""What travels: commands, replies and pushes as frozen values.

Names follow `client.proto` to the letter.
"""

from typing import Final, TypeAlias

from messaging.protocol.events import (
    Connect,
    Disconnect,
    Join,
    Leave,
    Message,
    Refresh,
    Subscribe,
    Unsubscribe,
)
from messaging.protocol.requests import (
    ConnectRequest,
    HistoryRequest,
    PingRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    RPCRequest,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    Unfit,
    UnsubscribeRequest,
)
from messaging.protocol.results import (
    ConnectResult,
    Error,
    HistoryResult,
    PingResult,
    PresenceResult,
    PresenceStatsResult,
    PublishResult,
    RefreshResult,
    RPCResult,
    SubRefreshResult,
    SubscribeResult,
    UnsubscribeResult,
)
from messaging.protocol.values import Publication, Uint32, Value

Request: TypeAlias = (
    ConnectRequest
    | SubscribeRequest
    | UnsubscribeRequest
    | PublishRequest
    | PresenceRequest
    | PresenceStatsRequest
    | HistoryRequest
    | PingRequest
    | SendRequest
    | RPCRequest
    | RefreshRequest
    | SubRefreshRequest
    | Unfit
)

Result: TypeAlias = (
    ConnectResult
    | SubscribeResult
    | UnsubscribeResult
    | PublishResult
    | PresenceResult
    | PresenceStatsResult
    | HistoryResult
    | PingResult
    | RPCResult
    | RefreshResult
    | SubRefreshResult
)

Event: TypeAlias = (
    Publication | Join | Leave | Unsubscribe | Message | Subscribe | Connect | Disconnect | Refresh
)


class Command(Value, frozen=True):
    """One thing a client asks for. Without an id, and not a `SendRequest`, it is a pong."""

    id: Uint32 = 0
    request: Request | None = None


PONG: Final = Command()


class Reply(Value, frozen=True):
    """The answer to the command with the same id."""

    id: Uint32
    result: Result | Error


class Push(Value, frozen=True):
    """Something a server says unasked; messages, disconnects and refreshes have no channel."""

    event: Event
    channel: str = ""


class Ping(Value, frozen=True):
    """A reply with nothing in it: the server asks for a pong."""


PING: Final = Ping()

Answer: TypeAlias = Reply | Push | Ping
"""Whatever a server may send."""
