"""What the operations about users, their tokens and their connections take and give."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from kernel.ids import UserId
from messaging.connections.connections import AT_MOST, Connected
from messaging.schemas import PageSize, Taken
from messaging.standing.restrictions import Restriction
from messaging.standing.statuses import AT_ONCE, UserStatus

Instant = Annotated[datetime, Meta(tz=True)]
Users = Annotated[list[UserId], Meta(max_length=AT_ONCE)]


class UserIds(Taken, frozen=True):
    """Some users."""

    user_ids: Users


class OneUser(Taken, frozen=True):
    user_id: UserId


class ListBlocks(Taken, frozen=True):
    cursor: str | None = None
    limit: PageSize = 100


class BlockUser(Taken, frozen=True):
    """Until an instant, or without one until the user is unblocked. `reason` is for operators."""

    user_id: UserId
    until: Instant | None = None
    reason: str = ""


class RevokeToken(Taken, frozen=True):
    """`token_id` is the token's `jti`; after `expires_at` it has expired by itself."""

    token_id: str
    expires_at: Instant | None = None


class InvalidateTokens(Taken, frozen=True):
    """All tokens issued (`iat`) before an instant, by default before now.

    Tokens that do not say when they were issued are among them. With a `channel`, only
    subscription tokens of that channel. After `expires_at` all of them have expired anyway.
    """

    user_id: UserId
    issued_before: Instant | None = None
    expires_at: Instant | None = None
    channel: str = ""


class FindConnections(Taken, frozen=True):
    """All that is given must fit. A label is `NAME=TEXT`, as `meta` of the access token has it."""

    user_id: UserId | None = None
    label: list[str] = msgspec.field(default_factory=list)
    app_name: str = ""
    limit: Annotated[int, Meta(ge=1, le=AT_MOST)] = 100


class EndConnection(Taken, frozen=True):
    """`client` is the id of one of the user's connections."""

    user_id: UserId
    client: str


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A user is online while connected, and active for a while after saying so.

    `last_seen_at` is when their last connection ended; for who is online, it is now.
    """

    user_id: UserId
    online: bool
    active: bool
    active_at: datetime | None
    last_seen_at: datetime | None


class StatusesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The users about whom something may be told, in the order asked."""

    statuses: list[StatusAnswer]


class BlockAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A blocked user; without `until` they are until unblocked."""

    user_id: UserId
    blocked_at: datetime
    until: datetime | None
    reason: str


class BlocksAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of blocked users; without a `cursor` it is the last one."""

    blocks: list[BlockAnswer]
    cursor: str | None


class InvalidatedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens issued before this instant count no longer."""

    issued_before: datetime


class ConnectionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Live connections, the oldest first; `more` if there are others.

    `missing` are the ids of nodes that did not answer in time: their connections are not here.
    """

    connections: list[Connected]
    more: bool
    missing: list[str]


class OwnConnection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as its user may see it."""

    client: str
    transport: str
    app_name: str
    app_version: str
    connected_at: datetime


class OwnConnectionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The connections of the user who asks, the oldest first."""

    connections: list[OwnConnection]


def own_connection(connection: Connected) -> OwnConnection:
    return OwnConnection(
        client=connection.client,
        transport=connection.transport,
        app_name=connection.app_name,
        app_version=connection.app_version,
        connected_at=connection.connected_at,
    )


def statuses_answer(statuses: list[UserStatus]) -> StatusesAnswer:
    return StatusesAnswer(
        statuses=[
            StatusAnswer(
                user_id=each.user_id,
                online=each.online,
                active=each.active,
                active_at=each.active_at,
                last_seen_at=each.last_seen_at,
            )
            for each in statuses
        ]
    )


def block_answer(block: Restriction) -> BlockAnswer:
    return BlockAnswer(
        user_id=UserId(block.subject),
        blocked_at=block.imposed_at,
        until=block.ends_at,
        reason=block.reason,
    )
