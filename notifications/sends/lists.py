"""Lists: users kept under a name, for sends."""

from collections.abc import Sequence
from datetime import datetime

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId, is_user_id
from kernel.paging import Page, cursor_of, parts_of
from notifications.audit.types import deed_of
from notifications.errors import ListNotFound
from notifications.sends.ports import ListStore

AT_ONCE = 10_000
"""Users in one change of a list, at most."""


class Lists:
    """What servers may do with lists."""

    def __init__(self, *, store: ListStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def replace(self, principal: Principal, list_id: str, user_ids: Sequence[UserId]) -> int:
        """Make a list of exactly these users, new or not; how many there are."""
        principal.require(Scope.PUSHES)
        users = _sound(user_ids)
        deed = deed_of(principal, "list.replaced", f"list:{list_id}", users=len(users))
        return await self._store.replace(list_id, users, now=self._clock.now(), deed=deed)

    async def append(self, principal: Principal, list_id: str, user_ids: Sequence[UserId]) -> int:
        """Put more users on a list; how many there are now."""
        principal.require(Scope.PUSHES)
        users = _sound(user_ids)
        deed = deed_of(principal, "list.appended", f"list:{list_id}", users=len(users))
        return _found(
            await self._store.change(list_id, add=users, now=self._clock.now(), deed=deed)
        )

    async def remove(self, principal: Principal, list_id: str, user_ids: Sequence[UserId]) -> int:
        """Take users off a list; how many there are now."""
        principal.require(Scope.PUSHES)
        users = _sound(user_ids)
        deed = deed_of(principal, "list.shortened", f"list:{list_id}", users=len(users))
        return _found(
            await self._store.change(list_id, remove=users, now=self._clock.now(), deed=deed)
        )

    async def delete(self, principal: Principal, list_id: str) -> None:
        """Forget a list. Sends that are under way go to whom they were handed on already."""
        principal.require(Scope.PUSHES)
        deed = deed_of(principal, "list.deleted", f"list:{list_id}")
        if not await self._store.delete(list_id, now=self._clock.now(), deed=deed):
            raise ListNotFound("There is no such list.", list_id=list_id)

    async def get(self, principal: Principal, list_id: str) -> tuple[int, datetime]:
        """How many users a list has, and when it changed last."""
        principal.require(Scope.PUSHES)
        found = await self._store.size(list_id)
        if found is None:
            raise ListNotFound("There is no such list.", list_id=list_id)
        return found

    async def all(self, principal: Principal) -> Sequence[tuple[str, datetime]]:
        """Every list's name, and when it changed last."""
        principal.require(Scope.PUSHES)
        return await self._store.all()

    async def users(
        self, principal: Principal, list_id: str, *, cursor: str | None, limit: int
    ) -> Page[UserId]:
        """The users of a list, by name."""
        await self.get(principal, list_id)
        after = "" if cursor is None else parts_of(cursor, 1)[0]
        if after and not is_user_id(after):
            raise InvalidInput("cursor", "is not one that this listing gave")
        found = await self._store.users(list_id, after=after, limit=limit + 1)
        more = len(found) > limit
        return Page(found[:limit], cursor_of(found[limit - 1]) if more else None)


def _sound(user_ids: Sequence[UserId]) -> Sequence[UserId]:
    if len(user_ids) > AT_ONCE:
        raise InvalidInput("user_ids", f"must hold at most {AT_ONCE}")
    for user_id in user_ids:
        if not is_user_id(user_id):
            raise InvalidInput("user_ids", "must hold names of users")
    return sorted(set(user_ids))


def _found(size: int | None) -> int:
    if size is None:
        raise ListNotFound("There is no such list.")
    return size
