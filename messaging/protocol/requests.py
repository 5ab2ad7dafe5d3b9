"""What a client asks for, in the words of `client.proto`."""

from typing import Final

from msgspec import field

from messaging.protocol.values import (
    FilterNode,
    Int32,
    Int64,
    Payload,
    StreamPosition,
    Uint64,
    Value,
)

REJECT_UNRECOVERED: Final = 2
"""In `SubscribeRequest.flag`: refuse with error 112 rather than answer `recovered: false`."""


class SubscribeRequest(Value, frozen=True):
    """Listen to a channel, and with `recover` hear first what was missed since a position."""

    channel: str = ""
    token: str = ""
    data: Payload = b""
    flag: Int64 = 0
    recover: bool = False
    offset: Uint64 = 0
    epoch: str = ""
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: str = ""
    tf: FilterNode | None = None
    type: Int32 = 0

    @property
    def rejects_unrecovered(self) -> bool:
        """Whether a failed recovery must be refused with error 112."""
        return bool(self.flag & REJECT_UNRECOVERED)


class ConnectRequest(Value, frozen=True):
    """The first command of every connection; `subs` has positions in server-side channels."""

    token: str = ""
    data: Payload = b""
    subs: dict[str, SubscribeRequest] = field(default_factory=dict)
    name: str = ""
    version: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    flag: Int64 = 0


class UnsubscribeRequest(Value, frozen=True):
    """Stop listening to a channel."""

    channel: str = ""


class PublishRequest(Value, frozen=True):
    """Publish through a channel."""

    channel: str = ""
    data: Payload = b""


class PresenceRequest(Value, frozen=True):
    """Who is subscribed to a channel."""

    channel: str = ""


class PresenceStatsRequest(Value, frozen=True):
    """How many are subscribed to a channel."""

    channel: str = ""


class HistoryRequest(Value, frozen=True):
    """Read a channel's stream; `limit` 0 asks for its top only, -1 for all we give."""

    channel: str = ""
    limit: Int32 = 0
    since: StreamPosition | None = None
    reverse: bool = False


class PingRequest(Value, frozen=True):
    """A ping by command, from before the pings of today; declined."""


class SendRequest(Value, frozen=True):
    """Something for the application that gets no reply."""

    data: Payload = b""


class RPCRequest(Value, frozen=True):
    """Call a method of the application."""

    method: str = ""
    data: Payload = b""


class RefreshRequest(Value, frozen=True):
    """A fresh access token for the connection."""

    token: str = ""


class SubRefreshRequest(Value, frozen=True):
    """A fresh token for a subscription. Old Python clients forget the channel."""

    channel: str = ""
    token: str = ""


class Unfit(Value, frozen=True):
    """A command this package already declines: answer it with this error, in its turn.

    It stands in `Command.request` and is never on the wire.
    """

    code: int
    message: str
