"""What the operations about users, their tokens and their connections take and give."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from kernel.ids import UserId
from messaging.restrictions import Restriction
from messaging.schemas import PageSize, Taken
from messaging.statuses import AT_ONCE, UserStatus

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
