"""What each method of the server API gives. What is zero is left out, but where it never is."""

from msgspec import UNSET, Raw, Struct, UnsetType


class Error(Struct, frozen=True):
    """Why a command failed: the code is for programs, the message for people."""

    code: int
    message: str


class PublishResult(Struct, frozen=True, omit_defaults=True):
    """Where a publication is in its channel's history, if that keeps one."""

    offset: int = 0
    epoch: str = ""


class PublishResponse(Struct, frozen=True, omit_defaults=True):
    """What became of one channel's publication."""

    result: PublishResult | None = None
    error: Error | None = None


class BroadcastResult(Struct, frozen=True):
    """One answer for each channel, in their order."""

    responses: list[PublishResponse]


class Done(Struct, frozen=True):
    """There is nothing to say but that it worked."""


class ClientInfo(Struct, frozen=True, omit_defaults=True):
    """A connection, as others may see it."""

    user: str
    client: str
    conn_info: Raw | UnsetType = UNSET
    chan_info: Raw | UnsetType = UNSET


class PresenceResult(Struct, frozen=True):
    """The connections in a channel, by client id."""

    presence: dict[str, ClientInfo]


class PresenceStatsResult(Struct, frozen=True):
    """How many connections are in a channel, and of how many users."""

    num_clients: int
    num_users: int


class Publication(Struct, frozen=True, omit_defaults=True):
    """One entry of a channel's history."""

    data: Raw
    info: ClientInfo | UnsetType = UNSET
    offset: int = 0
    tags: dict[str, str] = {}


class HistoryResult(Struct, frozen=True):
    """A page of a channel's history, and where that ends."""

    publications: list[Publication]
    epoch: str
    offset: int


class ChannelInfo(Struct, frozen=True):
    """How many connections are subscribed to a channel."""

    num_clients: int


class ChannelsResult(Struct, frozen=True):
    """The channels that somebody is subscribed to, by name."""

    channels: dict[str, ChannelInfo]


class Process(Struct, frozen=True):
    """What a node's process uses: its share of a processor in percent, resident bytes."""

    cpu: float
    rss: int


class NodeResult(Struct, frozen=True, omit_defaults=True):
    """One living node. Its uptime is in seconds."""

    uid: str
    name: str
    version: str
    num_clients: int
    num_users: int
    num_channels: int
    num_subs: int
    uptime: int = 0
    process: Process | UnsetType = UNSET


class InfoResult(Struct, frozen=True):
    """The nodes that hold connections."""

    nodes: list[NodeResult]


class BatchResult(Struct, frozen=True):
    """For each command an object: under its method's name the result, or under `error` why not."""

    replies: list[dict[str, Raw]]


class UserStatus(Struct, frozen=True, omit_defaults=True):
    """When a user was active, and online, last; in seconds since 1970, absent if never."""

    user: str
    active: int = 0
    online: int = 0


class UserStatusesResult(Struct, frozen=True):
    """The status of each user, in the order asked."""

    statuses: list[UserStatus]


class ConnectionTokenInfo(Struct, frozen=True, omit_defaults=True):
    """With which token a connection was made: its `jti` and `iat`."""

    uid: str = ""
    issued_at: int = 0


class ConnectionState(Struct, frozen=True, omit_defaults=True):
    """What a connection is subscribed to, and the `meta` of its token."""

    channels: dict[str, Done] = {}
    connection_token: ConnectionTokenInfo | UnsetType = UNSET
    meta: Raw | UnsetType = UNSET


class ConnectionInfo(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One live connection."""

    app_name: str = ""
    app_version: str = ""
    transport: str
    protocol: str
    user: str = ""
    state: ConnectionState | UnsetType = UNSET
    connected_at_ms: int = 0
    labels: dict[str, str] = {}


class ConnectionsResult(Struct, frozen=True):
    """Live connections, by client id."""

    connections: dict[str, ConnectionInfo]
