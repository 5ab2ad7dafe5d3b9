"""What a server answers, in the words of `client.proto`."""

from typing import Self

from msgspec import field

from messaging.protocol.codes import ErrorCode
from messaging.protocol.values import ClientInfo, Int64, Payload, Publication, Uint32, Uint64, Value


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
    """The subscription is on, from `offset`; `publications` come before anything live.

    With `delta` every payload of the channel travels quoted; see `Codec.quoted`.
    """

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
    delta: bool = False


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
