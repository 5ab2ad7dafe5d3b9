"""What a server says unasked, in the words of `client.proto`."""

from msgspec import field

from messaging.protocol.results import SubscribeResult
from messaging.protocol.values import ClientInfo, Int64, Payload, Uint32, Uint64, Value


class Join(Value, frozen=True):
    """Somebody subscribed to a channel."""

    info: ClientInfo


class Leave(Value, frozen=True):
    """Somebody is no longer subscribed to a channel."""

    info: ClientInfo


class Unsubscribe(Value, frozen=True):
    """The server ended a subscription; see `UnsubscribeCode`."""

    code: Uint32
    reason: str


class Message(Value, frozen=True):
    """Something from the application that belongs to no channel."""

    data: Payload = b""


class Subscribe(Value, frozen=True):
    """The server subscribed this connection to a channel."""

    recoverable: bool = False
    epoch: str = ""
    offset: Uint64 = 0
    positioned: bool = False
    data: Payload = b""


class Connect(Value, frozen=True):
    """The connect result where the client cannot ask for one (unidirectional endpoints)."""

    client: str
    version: str
    data: Payload = b""
    subs: dict[str, SubscribeResult] = field(default_factory=dict)
    expires: bool = False
    ttl: Uint32 = 0
    ping: Uint32 = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    time: Int64 = 0


class Disconnect(Value, frozen=True):
    """The last push where there is no close frame; see `DisconnectCode`."""

    code: Uint32
    reason: str
    reconnect: bool = False


class Refresh(Value, frozen=True):
    """The server prolonged, or will end, the connection."""

    expires: bool = False
    ttl: Uint32 = 0
