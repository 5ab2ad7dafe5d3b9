"""Users in the words of Centrifugo's paid edition: their status, blocks, and their tokens."""

from contextlib import suppress
from datetime import UTC, datetime

from msgspec import UNSET

from kernel.errors import InvalidInput, Unavailable
from kernel.identity import Principal
from kernel.ids import UserId
from messaging.api.filters import checked
from messaging.api.results import (
    ConnectionInfo,
    ConnectionsResult,
    ConnectionState,
    ConnectionTokenInfo,
    Done,
    UserStatus,
    UserStatusesResult,
)
from messaging.api.user_requests import (
    BlockUserRequest,
    ConnectionsRequest,
    InvalidateUserTokensRequest,
    RevokeTokenRequest,
    UnblockUserRequest,
    UsersRequest,
)
from messaging.connections.connections import AT_MOST, Connected, Connections, Wanted
from messaging.errors import NothingStands
from messaging.protocol.codes import ErrorCode
from messaging.refusals import Declined
from messaging.standing.sanctions import Sanctions
from messaging.standing.statuses import Statuses


class ApiUsers:
    """What `messaging/standing/routes.py` offers on the admin gateway, in other words."""

    def __init__(
        self, *, statuses: Statuses, sanctions: Sanctions, connections: Connections
    ) -> None:
        self._statuses = statuses
        self._sanctions = sanctions
        self._connections = connections

    async def connections(self, _server: Principal, asked: ConnectionsRequest) -> ConnectionsResult:
        """The live connections of a user, or with some labels, on all nodes."""
        if asked.expression:
            raise Declined(ErrorCode.NOT_AVAILABLE, "connections are found by user and labels only")
        label_filter = checked(asked.label_filter)
        if not asked.user and label_filter is None:
            raise InvalidInput("user", "is required, or else a label_filter")
        user_id = UserId(asked.user) if asked.user else None
        found = await self._connections.find(Wanted(user_id=user_id, label_filter=label_filter))
        if found.missing:
            raise Unavailable("Not every node answered.")
        if found.more:
            raise Declined(ErrorCode.LIMIT_EXCEEDED, f"there are more than {AT_MOST}")
        return ConnectionsResult({each.client: _connection(each) for each in found.connections})

    async def update_status(self, _server: Principal, asked: UsersRequest) -> Done:
        """Users are active right now."""
        await self._statuses.mark_active(_ids(asked))
        return Done()

    async def get_status(self, _server: Principal, asked: UsersRequest) -> UserStatusesResult:
        """When users were active and online last, in the order asked."""
        found = {each.user_id: each for each in await self._statuses.of(_ids(asked))}
        return UserStatusesResult(
            [
                UserStatus(
                    user_id,
                    active=_seconds(found[user_id].active_at),
                    online=_seconds(found[user_id].last_seen_at),
                )
                for user_id in _ids(asked)
            ]
        )

    async def delete_status(self, server: Principal, asked: UsersRequest) -> Done:
        """Forget when users were there."""
        await self._statuses.forget(_ids(asked), by=server)
        return Done()

    async def block(self, server: Principal, asked: BlockUserRequest) -> Done:
        """Keep a user out, and close what they have open. This holds on every node, for good."""
        until = _instant(asked.expire_at)
        await self._sanctions.block(UserId(asked.user), until=until, reason="", by=server)
        return Done()

    async def unblock(self, server: Principal, asked: UnblockUserRequest) -> Done:
        """Let a user in again; who was not blocked is in already."""
        with suppress(NothingStands):
            await self._sanctions.unblock(UserId(asked.user), by=server)
        return Done()

    async def revoke_token(self, server: Principal, asked: RevokeTokenRequest) -> Done:
        """Accept one token no more."""
        expires_at = _instant(asked.expire_at)
        await self._sanctions.revoke(asked.uid, expires_at=expires_at, by=server)
        return Done()

    async def invalidate_tokens(
        self, server: Principal, asked: InvalidateUserTokensRequest
    ) -> Done:
        """Accept no more what a user was issued until now, or before an instant."""
        await self._sanctions.invalidate(
            UserId(asked.user),
            issued_before=_instant(asked.issued_before),
            expires_at=_instant(asked.expire_at),
            channel=asked.channel or "",
            by=server,
        )
        return Done()


def _ids(asked: UsersRequest) -> list[UserId]:
    return [UserId(each) for each in asked.users]


def _instant(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _seconds(instant: datetime | None) -> int:
    return 0 if instant is None else int(instant.timestamp())


def _connection(connected: Connected) -> ConnectionInfo:
    issued_at = connected.token_issued_at
    token = ConnectionTokenInfo(connected.token_id, _seconds(issued_at))
    return ConnectionInfo(
        app_name=connected.app_name,
        app_version=connected.app_version,
        transport=connected.transport,
        protocol=connected.protocol,
        user=connected.user_id,
        state=ConnectionState(
            {channel: Done() for channel in connected.channels},
            token if connected.token_id or issued_at else UNSET,
            UNSET if bytes(connected.meta) == b"null" else connected.meta,
        ),
        connected_at_ms=int(connected.connected_at.timestamp() * 1000),
        labels=connected.labels,
    )
