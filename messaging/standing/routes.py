"""What can be asked about users: their status, and what stands against them and their tokens."""

from kernel.errors import InvalidInput, Unavailable
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Nothing, Operation, awaited
from messaging.errors import NothingStands
from messaging.standing import schemas
from messaging.standing.activity import Activity
from messaging.standing.sanctions import Sanctions
from messaging.standing.statuses import Statuses

_BLOCK_PATH = "/admin/v1/users/{user_id}/block"


def operations(
    *, statuses: Statuses, activity: Activity, sanctions: Sanctions
) -> list[AnyOperation]:
    """For users their own, for API keys with the scope for users everybody's."""
    users = _ForUsers(statuses, activity)
    servers = _ForServers(statuses, sanctions)
    return [
        Operation(
            name="users.status",
            method="POST",
            path="/v1/users/status",
            summary="Say who is online, active, and last seen when, of those you talk with.",
            takes=schemas.UserIds,
            gives=schemas.StatusesAnswer,
            run=users.status,
            rpc=True,
            refusals=(InvalidInput, Unavailable),
        ),
        Operation(
            name="users.active",
            method="POST",
            path="/v1/users/active",
            summary="Say that you use the application right now. Call it as often as you like.",
            takes=Nothing,
            gives=Nothing,
            run=awaited(users.active),
            at_once=users.active,
            rpc=True,
            also_called=("update_user_status",),
        ),
        Operation(
            name="users.statuses_of",
            method="POST",
            path="/admin/v1/users/status",
            summary="Say which users are online, active, and when they were last seen.",
            takes=schemas.UserIds,
            gives=schemas.StatusesAnswer,
            run=servers.status,
            scope=Scope.USERS,
            refusals=(InvalidInput, Unavailable),
        ),
        Operation(
            name="users.mark_active",
            method="POST",
            path="/admin/v1/users/active",
            summary="Note that users are active right now.",
            takes=schemas.UserIds,
            gives=Nothing,
            run=servers.mark_active,
            scope=Scope.USERS,
            refusals=(InvalidInput, Unavailable),
        ),
        Operation(
            name="users.forget_status",
            method="DELETE",
            path="/admin/v1/users/{user_id}/status",
            summary="Remove all that is kept of when a user was there.",
            takes=schemas.OneUser,
            gives=Nothing,
            run=servers.forget,
            scope=Scope.USERS,
            refusals=(InvalidInput, Unavailable),
        ),
        Operation(
            name="users.block",
            method="PUT",
            path=_BLOCK_PATH,
            summary="Keep a user out, and end all their connections.",
            takes=schemas.BlockUser,
            gives=schemas.BlockAnswer,
            run=servers.block,
            scope=Scope.USERS,
            refusals=(InvalidInput, Unavailable),
        ),
        Operation(
            name="users.unblock",
            method="DELETE",
            path=_BLOCK_PATH,
            summary="Let a blocked user in again.",
            takes=schemas.OneUser,
            gives=Nothing,
            run=servers.unblock,
            scope=Scope.USERS,
            refusals=(NothingStands, Unavailable),
        ),
        Operation(
            name="users.block_of",
            method="GET",
            path=_BLOCK_PATH,
            summary="Say whether a user is blocked, until when and why.",
            takes=schemas.OneUser,
            gives=schemas.BlockAnswer,
            run=servers.block_of,
            scope=Scope.USERS,
            refusals=(NothingStands, Unavailable),
        ),
        Operation(
            name="users.blocks",
            method="GET",
            path="/admin/v1/blocks",
            summary="List the blocked users.",
            takes=schemas.ListBlocks,
            gives=schemas.BlocksAnswer,
            run=servers.blocks,
            scope=Scope.USERS,
            refusals=(InvalidInput, Unavailable),
        ),
        Operation(
            name="tokens.revoke",
            method="POST",
            path="/admin/v1/tokens/revoke",
            summary="Accept one token no more, and end what was opened with it.",
            takes=schemas.RevokeToken,
            gives=Nothing,
            run=servers.revoke,
            scope=Scope.USERS,
            refusals=(InvalidInput, Unavailable),
        ),
        Operation(
            name="tokens.invalidate",
            method="POST",
            path="/admin/v1/users/{user_id}/tokens/invalidate",
            summary="Accept the tokens no more that a user was issued before an instant.",
            takes=schemas.InvalidateTokens,
            gives=schemas.InvalidatedAnswer,
            run=servers.invalidate,
            scope=Scope.USERS,
            refusals=(InvalidInput, Unavailable),
        ),
    ]


class _ForUsers:
    """The client gateway: whoever asks is a user."""

    def __init__(self, statuses: Statuses, activity: Activity) -> None:
        self._statuses = statuses
        self._activity = activity

    async def status(self, principal: Principal, asked: schemas.UserIds) -> schemas.StatusesAnswer:
        found = await self._statuses.seen_by(principal.user, asked.user_ids)
        return schemas.statuses_answer(found)

    def active(self, principal: Principal, _: Nothing) -> Nothing:
        self._activity.note(principal.user)
        return Nothing()


class _ForServers:
    """The admin gateway: whoever asks is a server with the scope for users."""

    def __init__(self, statuses: Statuses, sanctions: Sanctions) -> None:
        self._statuses = statuses
        self._sanctions = sanctions

    async def status(self, principal: Principal, asked: schemas.UserIds) -> schemas.StatusesAnswer:
        principal.require(Scope.USERS)
        return schemas.statuses_answer(await self._statuses.of(asked.user_ids))

    async def mark_active(self, principal: Principal, asked: schemas.UserIds) -> Nothing:
        principal.require(Scope.USERS)
        await self._statuses.mark_active(asked.user_ids)
        return Nothing()

    async def forget(self, principal: Principal, asked: schemas.OneUser) -> Nothing:
        principal.require(Scope.USERS)
        await self._statuses.forget([asked.user_id], by=principal)
        return Nothing()

    async def block(self, principal: Principal, asked: schemas.BlockUser) -> schemas.BlockAnswer:
        principal.require(Scope.USERS)
        return schemas.block_answer(
            await self._sanctions.block(
                asked.user_id, until=asked.until, reason=asked.reason, by=principal
            )
        )

    async def unblock(self, principal: Principal, asked: schemas.OneUser) -> Nothing:
        principal.require(Scope.USERS)
        await self._sanctions.unblock(asked.user_id, by=principal)
        return Nothing()

    async def block_of(self, principal: Principal, asked: schemas.OneUser) -> schemas.BlockAnswer:
        principal.require(Scope.USERS)
        return schemas.block_answer(await self._sanctions.block_of(asked.user_id))

    async def blocks(self, principal: Principal, asked: schemas.ListBlocks) -> schemas.BlocksAnswer:
        principal.require(Scope.USERS)
        page = await self._sanctions.blocks(cursor=asked.cursor, limit=asked.limit)
        return schemas.BlocksAnswer(
            blocks=[schemas.block_answer(each) for each in page.items], cursor=page.cursor
        )

    async def revoke(self, principal: Principal, asked: schemas.RevokeToken) -> Nothing:
        principal.require(Scope.USERS)
        await self._sanctions.revoke(asked.token_id, expires_at=asked.expires_at, by=principal)
        return Nothing()

    async def invalidate(
        self, principal: Principal, asked: schemas.InvalidateTokens
    ) -> schemas.InvalidatedAnswer:
        principal.require(Scope.USERS)
        instant = await self._sanctions.invalidate(
            asked.user_id,
            issued_before=asked.issued_before,
            expires_at=asked.expires_at,
            channel=asked.channel,
            by=principal,
        )
        return schemas.InvalidatedAnswer(issued_before=instant)
