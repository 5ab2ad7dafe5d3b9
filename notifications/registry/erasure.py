"""Erasing a user: nothing of them is left, and that it was done is on record."""

import hashlib
from collections.abc import Mapping

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId, is_user_id
from notifications.audit.types import deed_of
from notifications.registry.ports import Eraser


class Erasure:
    """Deletes devices, notifications, choices, and what other rooms keep of a user with them;
    counts of campaigns and sends stay right."""

    def __init__(self, *, eraser: Eraser, clock: Clock) -> None:
        self._eraser = eraser
        self._clock = clock

    async def erase(self, principal: Principal, user_id: UserId) -> Mapping[str, int]:
        """Delete what is kept of a user; how many rows of each kind. Again is harmless."""
        principal.require(Scope.USERS)
        if not is_user_id(user_id):
            raise InvalidInput("user_id", "must be 1 to 128 printable bytes without white space")
        # Enough to prove to somebody who names the user that it was done, and no name.
        digest = hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()
        deed = deed_of(principal, "user.erased", f"user:sha256:{digest}")
        return await self._eraser.erase(user_id, deed=deed, now=self._clock.now())
