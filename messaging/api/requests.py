"""What each method of the server API takes. Names are those of Centrifugo's HTTP API.

Unknown fields are ignored, and `null` is the same as leaving a field out, as clients of that
API expect it.
"""

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from messaging.channels.grants import Override
from messaging.protocol.values import FilterNode

Given: TypeAlias = Raw | UnsetType
"""JSON as it came, if it came."""
Offset: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
UnixTime: TypeAlias = Annotated[
    int, Meta(ge=0, le=253_402_300_799, description="In seconds since 1970.")
]
Base64: TypeAlias = Annotated[str, Meta(description="The same as text in base 64.")]
ChannelName: TypeAlias = Annotated[str, Meta(description="The channel's name.")]
Client: TypeAlias = Annotated[
    str | None, Meta(description="Only the user's connection with this client id.")
]
Session: TypeAlias = Annotated[
    str | None, Meta(description="Only the user's connection with this session id.")
]
User: TypeAlias = Annotated[
    str, Meta(max_length=255, description="The user's id; empty for clients that are nobody.")
]


LabelFilter: TypeAlias = Annotated[
    FilterNode | None,
    Meta(description="Only those whose labels pass it: a tree of comparisons."),
]


class _Published(Struct, frozen=True, kw_only=True):
    """What is said of a publication, to one channel or to many."""

    data: Annotated[Given, Meta(description="What is published: any JSON.")] = UNSET
    b64data: Base64 | None = None
    skip_history: Annotated[
        bool | None, Meta(description="Keep it out of the channel's history.")
    ] = None
    tags: Annotated[dict[str, str] | None, Meta(description="What travels beside the data.")] = None
    idempotency_key: Annotated[
        str | None, Meta(description="Under the same key a channel is published to once.")
    ] = None
    delta: Annotated[
        bool | None,
        Meta(description="Accepted; subscribers get deltas where their namespace allows it."),
    ] = None
    version: Annotated[
        Annotated[int, Meta(ge=0, le=2**63 - 1)] | None,
        Meta(description="Publish only what is newer than the history's newest version."),
    ] = None
    version_epoch: Annotated[
        str | None, Meta(description="Versions of another epoch count anew.")
    ] = None


class PublishRequest(_Published, frozen=True, kw_only=True):
    """Publish to a channel."""

    channel: ChannelName


class BroadcastRequest(_Published, frozen=True, kw_only=True):
    """Publish the same to many channels."""

    channels: Annotated[list[str], Meta(min_length=1)]


class StreamPosition(Struct, frozen=True):
    """A place in a channel's history."""

    offset: Offset | None = None
    epoch: str | None = None


class Addressed(Struct, frozen=True, kw_only=True):
    """Whose connections are meant: all of a user's, or some of them, or everybody's."""

    user: User = ""
    client: Client = None
    session: Session = None
    all_users: Annotated[bool | None, Meta(description="Not available: leave it out.")] = None
    label_filter: Annotated[FilterNode | None, Meta(description="Not available: leave it out.")] = (
        None
    )


class SubscribeRequest(Addressed, frozen=True, kw_only=True):
    """Subscribe a user's connections to a channel, on the server's side."""

    channel: ChannelName
    info: Annotated[Given, Meta(description="What others see of this subscription.")] = UNSET
    b64info: Base64 | None = None
    data: Annotated[Given, Meta(description="What the client is told with it.")] = UNSET
    b64data: Base64 | None = None
    expire_at: Annotated[
        UnixTime | None, Meta(description="When the subscription ends by itself.")
    ] = None
    recover_since: Annotated[
        StreamPosition | None, Meta(description="Send what was published after this, first.")
    ] = None
    override: Annotated[
        Override | None, Meta(description="Options of the namespace, changed for this one.")
    ] = None


class UnsubscribeRequest(Addressed, frozen=True, kw_only=True):
    """End subscriptions of a user's connections."""

    channel: Annotated[str, Meta(description="The channel's name; empty for all of them.")] = ""


class Disconnection(Struct, frozen=True):
    """With what connections are closed."""

    code: Annotated[int, Meta(ge=0, le=4999)] = 0
    reason: Annotated[str, Meta(max_length=123)] = ""


class DisconnectRequest(Addressed, frozen=True, kw_only=True):
    """Close a user's connections."""

    whitelist: Annotated[
        Annotated[list[str], Meta(max_length=1000)] | None,
        Meta(description="Client ids that may stay."),
    ] = None
    disconnect: Annotated[
        Disconnection | None, Meta(description="Code and reason; 3503 unless said otherwise.")
    ] = None


class RefreshRequest(Addressed, frozen=True, kw_only=True):
    """Move when a user's connections expire."""

    expired: Annotated[bool | None, Meta(description="Close them as expired, now.")] = None
    expire_at: Annotated[
        UnixTime | None, Meta(description="When they expire; without it, never.")
    ] = None
    info: Annotated[Given, Meta(description="What others see of the connection, anew.")] = UNSET


class PresenceRequest(Struct, frozen=True):
    """Ask who is in a channel."""

    channel: ChannelName


class PresenceStatsRequest(Struct, frozen=True):
    """Ask how many are in a channel."""

    channel: ChannelName


class HistoryRequest(Struct, frozen=True, kw_only=True):
    """Read a channel's history."""

    channel: ChannelName
    limit: Annotated[
        Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None,
        Meta(description="How many publications at most; none without it, -1 for a whole page."),
    ] = None
    since: Annotated[
        StreamPosition | None, Meta(description="Only those after, or in reverse before, this.")
    ] = None
    reverse: Annotated[bool | None, Meta(description="The newest first.")] = None


class HistoryRemoveRequest(Struct, frozen=True):
    """Remove a channel's history; its offsets go on."""

    channel: ChannelName


class ChannelsRequest(Struct, frozen=True):
    """List the channels that somebody is subscribed to, on any node."""

    pattern: Annotated[
        Annotated[str, Meta(max_length=255)] | None,
        Meta(description="Such as `news:*` or `{news,chat}:?`."),
    ] = None


class InfoRequest(Struct, frozen=True):
    """List the nodes that hold connections."""


class BatchRequest(Struct, frozen=True, kw_only=True):
    """Several commands, each an object with one method's name and what it takes."""

    commands: list[dict[str, Raw] | None]
    parallel: Annotated[
        bool | None, Meta(description="Whether none of them waits for the one before.")
    ] = None
