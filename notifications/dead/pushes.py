"""What operators may do about pushes that died."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.paging import Page, cursor_of, parts_of
from kernel.workers import Pulse
from notifications.audit.types import deed_of
from notifications.dead.ports import DeadPushStore
from notifications.dead.types import DeadPush, DeadQuery, Inquest, Redrive
from notifications.errors import NotificationNotFound
from notifications.sends.drafting import LIFETIME

PAGE = 200
"""Dead pushes in one page, at most."""

AT_ONCE = 1000
"""Pushes that one request tries again, at most."""

_LONGEST = max(LIFETIME.values())


class DeadPushes:
    """`pulse` beats when something waits again."""

    def __init__(self, *, store: DeadPushStore, clock: Clock, pulse: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._pulse = pulse

    async def page(
        self, principal: Principal, query: DeadQuery, *, cursor: str | None, limit: int
    ) -> Page[DeadPush]:
        """Dead pushes that agree with `query`, the last to die first."""
        principal.require(Scope.PUSHES)
        if not 1 <= limit <= PAGE:
            raise InvalidInput("limit", f"must be 1 to {PAGE}")
        before = None if cursor is None else _place(cursor)
        found = await self._store.page(query, before=before, limit=limit + 1)
        if len(found) <= limit:
            return Page(found)
        last = found[limit - 1]
        return Page(found[:limit], cursor_of(last.died_at.isoformat(), str(last.id)))

    async def inquest(self, principal: Principal, push_id: UUID) -> Inquest:
        """A dead push with its content and every attempt."""
        principal.require(Scope.PUSHES)
        found = await self._store.inquest(push_id)
        if found is None:
            raise NotificationNotFound("No dead push has this id.")
        return found

    async def redrive(
        self, principal: Principal, query: DeadQuery, *, lifetime: float | None, limit: int
    ) -> Sequence[UUID]:
        """Try dead pushes again, those that died first; which.

        Whether their device still wants them is asked when they are claimed, as for any push.
        With a `lifetime` they matter for so many seconds from now, otherwise as long as they
        did; what no longer matters stays dead.
        """
        principal.require(Scope.PUSHES)
        if not 1 <= limit <= AT_ONCE:
            raise InvalidInput("limit", f"must be 1 to {AT_ONCE}")
        longest = _LONGEST if query.urgency is None else LIFETIME[query.urgency]
        if lifetime is not None and not 0 < lifetime <= longest.total_seconds():
            rule = f"must be above 0 and at most {int(longest.total_seconds())}"
            raise InvalidInput("expires_after", rule)
        one = query.push_ids[0] if len(query.push_ids) == 1 else None
        deed = deed_of(
            principal,
            "push.redriven",
            f"push:{one or 'dead'}",
            app=query.app_id,
            route=query.route,
            urgency=query.urgency,
            reason=query.reason,
            named=len(query.push_ids),
            expires_after=lifetime,
        )
        seconds = None if lifetime is None else timedelta(seconds=lifetime)
        ids = await self._store.redrive(
            Redrive(query, seconds, limit), deed=deed, now=self._clock.now()
        )
        if ids:
            self._pulse.beat()
        return ids


def _place(cursor: str) -> tuple[datetime, UUID]:
    died_at, push_id = parts_of(cursor, 2)
    try:
        return datetime.fromisoformat(died_at), UUID(push_id)
    except ValueError:
        raise InvalidInput("cursor", "is not one that this listing gave") from None
