"""What operators do against users and tokens: block, unblock, revoke, invalidate."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId, is_user_id
from kernel.paging import Page
from messaging.channels.names import CHANNEL_BYTES
from messaging.errors import NothingStands
from messaging.standing.checks import publication_of_change
from messaging.standing.ports import RestrictionStore
from messaging.standing.restrictions import TOKEN_ID_CHARACTERS, Restriction, RestrictionKind

audit = logging.getLogger("messaging.audit")

REASON_CHARACTERS = 1000

PAGE = 100


class Sanctions:
    """Stores what stands, then tells every node to look. Each act leaves a line in the log.

    Who acts is written down as `by`, the id of the API key.
    """

    def __init__(self, store: RestrictionStore, *, bus: Bus, clock: Clock) -> None:
        self.look_here: Callable[[], Awaitable[None]] | None = None
        """Lets this node know before the caller is answered, where it takes connections."""
        self._store = store
        self._bus = bus
        self._clock = clock

    async def block(
        self, user_id: UserId, *, until: datetime | None, reason: str, by: Principal
    ) -> Restriction:
        """Keep a user out until an instant, or until `unblock`; end what they have open."""
        _check_user(user_id)
        until = self._end("until", until)
        if len(reason) > REASON_CHARACTERS:
            raise InvalidInput("reason", f"has at most {REASON_CHARACTERS} characters")
        block = Restriction(
            RestrictionKind.USER, user_id, self._clock.now(), ends_at=until, reason=reason
        )
        await self._impose(block)
        audit.info(
            "user blocked",
            extra={"user_id": user_id, "until": until, "reason": reason, "by": by.key_id},
        )
        return block

    async def unblock(self, user_id: UserId, *, by: Principal) -> None:
        """Let a user in again. Raises `NothingStands` if they were not blocked."""
        if not await self._store.lift(RestrictionKind.USER, user_id, now=self._clock.now()):
            raise NothingStands("This user is not blocked.")
        await self._tell()
        audit.info("user unblocked", extra={"user_id": user_id, "by": by.key_id})

    async def block_of(self, user_id: UserId) -> Restriction:
        """What keeps a user out. Raises `NothingStands` if nothing does."""
        found = await self._store.standing(RestrictionKind.USER, user_id, now=self._clock.now())
        if found is None:
            raise NothingStands("This user is not blocked.")
        return found

    async def blocks(self, *, cursor: str | None = None, limit: int = PAGE) -> Page[Restriction]:
        """All blocked users, by their ids."""
        return await self._store.all(
            RestrictionKind.USER, cursor=cursor, limit=limit, now=self._clock.now()
        )

    async def revoke(self, token_id: str, *, expires_at: datetime | None, by: Principal) -> None:
        """Accept the token with this `jti` no more; after `expires_at` it has expired anyway."""
        if not 0 < len(token_id) <= TOKEN_ID_CHARACTERS or "\0" in token_id:
            raise InvalidInput("token_id", f"must have 1 to {TOKEN_ID_CHARACTERS} characters")
        expires_at = self._end("expires_at", expires_at)
        await self._impose(
            Restriction(RestrictionKind.TOKEN, token_id, self._clock.now(), ends_at=expires_at)
        )
        audit.info("token revoked", extra={"jti": token_id, "until": expires_at, "by": by.key_id})

    async def invalidate(
        self,
        user_id: UserId,
        *,
        issued_before: datetime | None,
        expires_at: datetime | None,
        channel: str,
        by: Principal,
    ) -> datetime:
        """Accept no more what a user was issued before an instant (by default: before now).

        With a `channel`, this is about subscription tokens of that channel only. After
        `expires_at` all of them have expired anyway. Returns the instant.
        """
        _check_user(user_id)
        expires_at = self._end("expires_at", expires_at)
        if len(channel.encode("utf-8", "surrogatepass")) > CHANNEL_BYTES or "\0" in channel:
            raise InvalidInput("channel", f"has at most {CHANNEL_BYTES} bytes")
        now = self._clock.now()
        instant = _in_utc("issued_before", issued_before) if issued_before else now
        await self._impose(
            Restriction(
                RestrictionKind.TOKENS,
                user_id,
                now,
                ends_at=expires_at,
                channel=channel,
                issued_before=instant,
            )
        )
        audit.info(
            "tokens of a user invalidated",
            extra={
                "user_id": user_id,
                "channel": channel,
                "issued_before": instant,
                "until": expires_at,
                "by": by.key_id,
            },
        )
        return instant

    def _end(self, field: str, instant: datetime | None) -> datetime | None:
        if instant is None:
            return None
        end = _in_utc(field, instant)
        if end <= self._clock.now():
            raise InvalidInput(field, "must be in the future")
        return end

    async def _impose(self, restriction: Restriction) -> None:
        await self._store.impose(restriction)
        await self._tell()

    async def _tell(self) -> None:
        self._bus.publish([publication_of_change()])
        if self.look_here is not None:
            await self.look_here()


def _in_utc(field: str, instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field, "is beyond the calendar") from None


def _check_user(user_id: UserId) -> None:
    if not is_user_id(user_id):
        raise InvalidInput(
            "user_id", "must be 1 to 128 bytes of printable characters without white space"
        )
