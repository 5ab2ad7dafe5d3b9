"""What operators may do: pause a class of reminders, resume it, have a plan made again."""

import logging
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal, Scope
from kernel.workers import Pulse
from reminders.errors import EventNotFound
from reminders.firing import FiringClass
from reminders.ports import OperatingStore

log = logging.getLogger(__name__)


class Operating:
    """For servers only. A pause holds on every scheduler from its next step on."""

    def __init__(self, *, store: OperatingStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
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
        await self._store.pause(firing_class, now=self._clock.now())
        log.warning("reminders paused", extra={"class": firing_class, "by": principal.key_id})

    async def resume(self, principal: Principal, firing_class: FiringClass) -> None:
        """Let a class go off again. Doing so twice is harmless."""
        principal.require(Scope.REMINDERS)
        if await self._store.resume(firing_class):
            log.info("reminders resumed", extra={"class": firing_class, "by": principal.key_id})

    async def replan(self, principal: Principal, event_id: UUID) -> None:
        """Have an event's plan made again. Nothing that was told is told twice."""
        principal.require(Scope.REMINDERS)
        if not await self._store.mark(event_id, now=self._clock.now()):
            raise EventNotFound("There is no such event.")
        self._planning.beat()
