"""Whether users are online, whether they are active, and when they were last seen."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId, is_user_id
from kernel.options import option
from messaging.ports import PresenceRegistry
from messaging.standing.ports import Acquaintances, Recorded, StatusStore

audit = logging.getLogger("messaging.audit")

AT_ONCE = 500
"""Users that may be asked about at once."""


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """How exactly it is known who is online, active or gone."""

    active_seconds: float = option(
        60.0, "How long after the last sign of activity a user counts as active."
    )
    write_seconds: float = option(
        15.0, "A node writes down at most once in this time that a user was active."
    )
    renew_seconds: float = option(
        10.0,
        "Seconds between a node's signs of life in the database: how exact it is known when the"
        " users of a node that died were last seen.",
    )
    missing_seconds: float = option(
        60.0, "After how long without a sign of life the users of a node are written down as gone."
    )
    linger_seconds: float = option(
        10.0, "Who is back within this time was not away, and nothing is written about them."
    )
    among_acquaintances: bool = option(
        True, "Whether users may ask about those with whom they share a conversation."
    )

    def __post_init__(self) -> None:
        if not 0 < self.write_seconds < self.active_seconds:
            raise ValueError("write_seconds must be above 0 and below active_seconds")
        if not 0 < self.renew_seconds <= self.missing_seconds / 2:
            raise ValueError("renew_seconds must be above 0, and at most half of missing_seconds")
        if self.linger_seconds < 0:
            raise ValueError("linger_seconds must not be negative")


@dataclass(frozen=True, slots=True)
class UserStatus:
    """A user as others may see them. Who is online is seen now."""

    user_id: UserId
    online: bool
    active: bool
    active_at: datetime | None
    last_seen_at: datetime | None


class Statuses:
    """Answers about many users at once: who is there comes from the presence registry."""

    def __init__(
        self,
        store: StatusStore,
        *,
        registry: PresenceRegistry,
        acquaintances: Acquaintances,
        clock: Clock,
        options: StatusOptions,
    ) -> None:
        self._store = store
        self._registry = registry
        self._acquaintances = acquaintances
        self._clock = clock
        self._options = options

    async def of(self, user_ids: Sequence[UserId]) -> list[UserStatus]:
        """The status of each, in the order asked, for a server."""
        wanted = _checked(user_ids)
        online = await self._registry.present(wanted)
        recorded = await self._store.recorded(wanted)
        now = self._clock.now()
        return [
            self._status(each, recorded.get(each, Recorded()), each in online, now)
            for each in wanted
        ]

    async def seen_by(self, user_id: UserId, user_ids: Sequence[UserId]) -> list[UserStatus]:
        """The same for a user: of themselves, and of those with whom they share a conversation.

        Of others nothing is told, not even that they exist.
        """
        wanted = _checked(user_ids)
        known = {user_id}
        if self._options.among_acquaintances:
            known.update(await self._acquaintances.of(user_id, wanted))
        return await self.of([each for each in wanted if each in known])

    async def mark_active(self, user_ids: Sequence[UserId]) -> None:
        """Users were active just now, as the application's server saw."""
        wanted = _checked(user_ids)
        if wanted:
            await self._store.active(dict.fromkeys(wanted, self._clock.now()))

    async def forget(self, user_ids: Sequence[UserId], *, by: Principal) -> None:
        """Remove all that is kept of when users were there. Who is connected is noted anew."""
        wanted = _checked(user_ids)
        await self._store.forget(wanted)
        audit.info("statuses forgotten", extra={"user_ids": ",".join(wanted), "by": by.key_id})

    def _status(
        self, user_id: UserId, recorded: Recorded, online: bool, now: datetime
    ) -> UserStatus:
        window = timedelta(seconds=self._options.active_seconds)
        active_at = recorded.active_at
        return UserStatus(
            user_id=user_id,
            online=online,
            active=active_at is not None and now - active_at < window,
            active_at=active_at,
            last_seen_at=now if online else recorded.last_seen_at,
        )


def _checked(user_ids: Sequence[UserId]) -> list[UserId]:
    if len(user_ids) > AT_ONCE:
        raise InvalidInput("user_ids", f"names at most {AT_ONCE} users")
    for user_id in user_ids:
        if not is_user_id(user_id):
            raise InvalidInput(
                "user_ids", "must be 1 to 128 bytes of printable characters without white space"
            )
    return list(dict.fromkeys(user_ids))
