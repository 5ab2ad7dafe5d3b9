"""What travels: commands, replies and pushes as frozen values.

Names follow `client.proto` to the letter. A zero value means that the field is absent. Payload
fields are `bytes` of JSON text and pass through untouched; `Payload` marks them.
"""

from typing import Annotated, Final, Self, TypeAlias

from msgspec import Meta, Struct, field

from messaging.protocol.codes import ErrorCode

Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Uint32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
# Half of what the wire could carry: no stream grows so long, and databases keep no more.
Uint64: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Payload: TypeAlias = bytes

REJECT_UNRECOVERED: Final = 2
"""In `SubscribeRequest.flag`: refuse with error 112 rather than answer `recovered: false`."""


class Value(Struct, frozen=True, omit_defaults=True, gc=False):
    """Anything that travels. Fields without a default are written even when they are zero."""


# --- What both sides speak of -----------------------------------------------------------------


class ClientInfo(Value, frozen=True):
    """Who a connection is, as others may see it."""

    user: str
    client: str
    conn_info: Payload = b""
    chan_info: Payload = b""


class Publication(Value, frozen=True):
    """One thing sent through a channel; without a stream its offset is 0."""

    data: Payload = b""
    info: ClientInfo | None = None
    offset: Uint64 = 0
    tags: dict[str, str] = field(default_factory=dict)
    time: Int64 = 0


class StreamPosition(Value, frozen=True):
    """A place in one life of a stream."""

    offset: Uint64 = 0
    epoch: str = ""


class FilterNode(Value, frozen=True):
    """A filter on publications' tags. We understand it only to decline it."""

    op: str = ""
    key: str = ""
    cmp: str = ""
    val: str = ""
    vals: tuple[str, ...] = ()
    nodes: "tuple[FilterNode, ...]" = ()


# --- What a client asks for -------------------------------------------------------------------


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


class Command(Value, frozen=True):
    """One thing a client asks for. Without an id, and not a `SendRequest`, it is a pong."""

    id: Uint32 = 0
    request: Request | None = None


PONG: Final = Command()


# --- What a server answers --------------------------------------------------------------------


class Error(Value, frozen=True):
    """Why a command was refused."""

    code: Uint32
    message: str
    temporary: bool = False

    @classmethod
    def of(cls, code: ErrorCode, message: str = "") -> Self:
        """The error with this code, in its own words or better ones."""
        return cls(int(code), message or code.message, code.temporary)


class SubscribeResult(Value, frozen=True):
    """The subscription is on, from `offset`; `publications` come before anything live."""

    expires: bool = False
    ttl: Uint32 = 0
    recoverable: bool = False
    epoch: str = ""
    publications: tuple[Publication, ...] = ()
    recovered: bool = False
    offset: Uint64 = 0
    positioned: bool = False
    data: Payload = b""
    was_recovering: bool = False


class ConnectResult(Value, frozen=True):
    """The connection is on. `ping` and `pong` are filled in by `ServerProtocol.accept`."""

    client: str
    version: str
    expires: bool = False
    ttl: Uint32 = 0
    data: Payload = b""
    subs: dict[str, SubscribeResult] = field(default_factory=dict)
    ping: Uint32 = 0
    pong: bool = False
    session: str = ""
    node: str = ""
    time: Int64 = 0


class UnsubscribeResult(Value, frozen=True):
    """Nothing more of the channel will come."""


class PublishResult(Value, frozen=True):
    """The publication was taken."""


class PresenceResult(Value, frozen=True):
    """Who is subscribed, by connection."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(Value, frozen=True):
    """How many connections, and of how many users, are subscribed."""

    num_clients: Uint32
    num_users: Uint32


class HistoryResult(Value, frozen=True):
    """A piece of a stream, and where its top is."""

    publications: tuple[Publication, ...]
    epoch: str
    offset: Uint64


class PingResult(Value, frozen=True):
    """The answer to a ping by command."""


class RPCResult(Value, frozen=True):
    """What the application's method answers."""

    data: Payload = b""


class RefreshResult(Value, frozen=True):
    """The connection lives on, for `ttl` seconds if it expires at all."""

    client: str = ""
    version: str = ""
    expires: bool = False
    ttl: Uint32 = 0


class SubRefreshResult(Value, frozen=True):
    """The subscription lives on, for `ttl` seconds if it expires at all."""

    expires: bool = False
    ttl: Uint32 = 0


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


class Reply(Value, frozen=True):
    """The answer to the command with the same id."""

    id: Uint32
    result: Result | Error


# --- What a server says unasked ---------------------------------------------------------------


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


Event: TypeAlias = (
    Publication | Join | Leave | Unsubscribe | Message | Subscribe | Connect | Disconnect | Refresh
)


class Push(Value, frozen=True):
    """Something a server says unasked; messages, disconnects and refreshes have no channel."""

    event: Event
    channel: str = ""


class Ping(Value, frozen=True):
    """A reply with nothing in it: the server asks for a pong."""


PING: Final = Ping()

Answer: TypeAlias = Reply | Push | Ping
"""Whatever a server may send."""
