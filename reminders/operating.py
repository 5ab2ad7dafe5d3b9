"""What operators may do: pause and resume classes of reminders, replan, and see what is coming."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.workers import Pulse
from reminders.errors import EventNotFound
from reminders.firing import FiringClass
from reminders.oversight import Dead, Deed, Forecast, OperatingStore
from reminders.placing import LONGEST_SPREAD, USUAL_SPREAD
from reminders.ports import Backlog, FiringStore

SHOWN = timedelta(days=31)
DEAD = 100
"""Firings that died which are listed: how far back, and how many."""

log = logging.getLogger(__name__)


class Operating:
    """For servers only. A pause holds on every scheduler from its next step on. What was done
    is in the audit trail."""

    def __init__(
        self, *, store: OperatingStore, firings: FiringStore, clock: Clock, planning: Pulse
    ) -> None:
        self._store = store
        self._firings = firings
        self._clock = clock
        self._planning = planning

    async def paused(self, principal: Principal) -> Mapping[FiringClass, datetime]:
        """The classes that wait, and since when."""
        principal.require(Scope.REMINDERS)
        return await self._store.paused()

    async def pause(self, principal: Principal, firing_class: FiringClass) -> None:
        """Let nothing of a class go off; what comes due waits, and is judged by its lateness
        when the class is resumed."""
        principal.require(Scope.REMINDERS)
        deed = Deed(principal, "reminders.paused", f"reminders:{firing_class}")
        if await self._store.pause(firing_class, deed=deed, now=self._clock.now()):
            log.warning("reminders paused", extra={"class": firing_class, "by": principal.key_id})

    async def resume(self, principal: Principal, firing_class: FiringClass) -> None:
        """Let a class go off again. Doing so twice is harmless."""
        principal.require(Scope.REMINDERS)
        deed = Deed(principal, "reminders.resumed", f"reminders:{firing_class}")
        if await self._store.resume(firing_class, deed=deed, now=self._clock.now()):
            log.info("reminders resumed", extra={"class": firing_class, "by": principal.key_id})

    async def replan(self, principal: Principal, event_id: UUID) -> None:
        """Have an event's plan made again. Nothing that was told is told twice."""
        principal.require(Scope.REMINDERS)
        deed = Deed(principal, "event.replanned", f"event:{event_id}")
        if not await self._store.mark(event_id, deed=deed, now=self._clock.now()):
            raise EventNotFound("There is no such event.")
        self._planning.beat()

    async def replan_all(self, principal: Principal) -> int:
        """Have every event's plan made again; how many. `backlog` tells how far that is."""
        principal.require(Scope.REMINDERS)
        deed = Deed(principal, "reminders.replanned", "reminders:all")
        plans = await self._store.mark_all(deed=deed, now=self._clock.now())
        self._planning.beat()
        log.info("plans marked", extra={"plans": plans, "by": principal.key_id})
        return plans

    async def spread(self, principal: Principal) -> timedelta:
        """Over how long policy reminders of one moment spread."""
        principal.require(Scope.REMINDERS)
        return max(USUAL_SPREAD, await self._store.spread())

    async def put_spread(self, principal: Principal, seconds: int) -> int:
        """Spread them over so long, and no less than usual; how many plans are made again."""
        principal.require(Scope.REMINDERS)
        # As numbers: what is beyond all measure is no time at all.
        if not USUAL_SPREAD.total_seconds() <= seconds <= LONGEST_SPREAD.total_seconds():
            raise InvalidInput("seconds", "must be between 240 and 3600")
        deed = Deed(principal, "reminders.spread", f"reminders:{seconds}")
        spread = timedelta(seconds=seconds)
        plans = await self._store.put_spread(spread, deed=deed, now=self._clock.now())
        self._planning.beat()
        log.info("reminders spread", extra={"seconds": seconds, "by": principal.key_id})
        return plans

    async def dead(self, principal: Principal) -> Sequence[Dead]:
        """The last firings that died: of what lay within a month, and a hundred at most."""
        principal.require(Scope.REMINDERS)
        since = (self._clock.now() - SHOWN).date()
        return await self._store.dead(since=since, limit=DEAD)

    async def revive(self, principal: Principal, event_id: UUID) -> int:
        """Have what died in an event planned once more; what is too late for that stays gone."""
        principal.require(Scope.REMINDERS)
        deed = Deed(principal, "event.revived", f"event:{event_id}")
        revived = await self._store.revive(event_id, deed=deed, now=self._clock.now())
        if revived is None:
            raise EventNotFound("There is no such event.")
        self._planning.beat()
        return revived

    async def backlog(self, principal: Principal) -> Backlog:
        """How far behind the plans are."""
        principal.require(Scope.REMINDERS)
        return await self._firings.backlog(self._clock.now())

    async def forecast(
        self, principal: Principal, *, hours: int
    ) -> tuple[Forecast, Mapping[FiringClass, datetime]]:
        """What goes off within so many hours, and which classes are paused meanwhile."""
        principal.require(Scope.REMINDERS)
        now = self._clock.now()
        found = await self._store.forecast(now=now, until=now + timedelta(hours=hours))
        return found, await self._store.paused()
