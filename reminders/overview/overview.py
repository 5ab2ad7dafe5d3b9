"""All that operators look at, at one moment; and the trace of one event, task or user."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput, Refusal
from kernel.identity import Principal, Scope
from reminders.catching_up import BEHIND
from reminders.events import Events
from reminders.explain import Explain, Explained
from reminders.firing import Coming, FiringClass
from reminders.limits import checked_user
from reminders.operating import Operating
from reminders.oversight import Dead, Forecast, Minute
from reminders.person import Ramadan
from reminders.ports import Almanac, Backlog
from reminders.tasks import Tasks
from reminders.times import change_between, offset_of
from reminders.types import Sheet, Task
from reminders.zone_state import ZoneState, ZoneStore

HOURS = 24
LISTED = 50
"""How much of the future is shown, and how many reminders or tasks that were looked for."""

_WEEK, _YEAR = timedelta(days=7), timedelta(days=366)


@dataclass(frozen=True, slots=True)
class ZoneSeen:
    """A zone in use, with its offset, and when that changes next within a year."""

    state: ZoneState
    offset: timedelta
    changes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """How reminders stand at an instant."""

    at: datetime
    forecast: Forecast
    paused: Mapping[FiringClass, datetime]
    plans: Backlog
    spread: timedelta
    dead: Sequence[Dead]
    zones: Sequence[ZoneSeen]
    ramadans: Sequence[Ramadan]

    @property
    def oldest_due_age(self) -> timedelta:
        """How long the first of what is not paused has been due."""
        since = (e.since for e in self.forecast.late if e.firing_class not in self.paused)
        return self.at - min(since, default=self.at)

    @property
    def catching_up(self) -> bool:
        """Whether something is so late that it was an outage."""
        return self.oldest_due_age > BEHIND


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom or what an operator looks for."""

    event_id: UUID | None = None
    task_id: UUID | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of it: the event with its tasks, or the one task; a user's coming reminders,
    or why they are told of that event or task. `refused` says what stood against it."""

    asked: Asked
    sheet: Sheet | None = None
    tasks: Sequence[Task] = ()
    coming: Coming | None = None
    explained: Explained | None = None
    refused: str = ""


class Overview:
    """For servers only."""

    def __init__(
        self,
        *,
        operating: Operating,
        events: Events,
        tasks: Tasks,
        explain: Explain,
        zones: ZoneStore,
        almanac: Almanac,
        clock: Clock,
    ) -> None:
        self._operating = operating
        self._events = events
        self._tasks = tasks
        self._explain = explain
        self._zones = zones
        self._almanac = almanac
        self._clock = clock

    async def see(self, principal: Principal) -> Seen:
        """How reminders stand."""
        principal.require(Scope.REMINDERS)
        now = self._clock.now()
        forecast, paused = await self._operating.forecast(principal, hours=HOURS)
        states = sorted(await self._zones.zone_states(), key=lambda each: each.zone)
        today = now.date()
        return Seen(
            at=now,
            forecast=forecast,
            paused=paused,
            plans=await self._operating.backlog(principal),
            spread=await self._operating.spread(principal),
            dead=await self._operating.dead(principal),
            zones=await asyncio.to_thread(zones_seen, states, now),
            ramadans=[e for e in await self._almanac.ramadans() if e.ends_on >= today],
        )

    async def search(self, principal: Principal, asked: Asked) -> Found:
        """What is known of an event, a task or a user. A refusal is part of the answer: whoever
        mistyped an id still sees the rest."""
        principal.require(Scope.REMINDERS)
        try:
            return await self._search(principal, asked)
        except Refusal as refusal:
            return Found(asked, refused=refusal.message)

    async def _search(self, principal: Principal, asked: Asked) -> Found:
        event_id, task_id = asked.event_id, asked.task_id
        user_id = None if asked.user_id is None else checked_user(asked.user_id)
        if event_id is None:
            if task_id is not None:
                raise InvalidInput("event_id", "is required with a task")
            coming = await self._explain.upcoming(
                principal, cursor=None, limit=LISTED, user_id=user_id
            )
            return Found(asked, coming=coming)
        tasks: Sequence[Task] = ()
        explained = None
        if task_id is None:
            sheet = await self._events.get(principal, event_id)
            _, page = await self._tasks.of(principal, event_id, cursor=None, limit=LISTED)
            tasks = page.items
            if user_id is not None:
                explained = await self._explain.of_event(principal, event_id, user_id=user_id)
        else:
            sheet = await self._tasks.get(principal, event_id, task_id)
            if user_id is not None:
                explained = await self._explain.of(principal, event_id, task_id, user_id=user_id)
        return Found(asked, sheet=sheet, tasks=tasks, explained=explained)


def peak_of(minutes: Sequence[Minute]) -> tuple[datetime, int] | None:
    """The busiest minute, all classes together, and how much it is; the first of several."""
    sums: Counter[datetime] = Counter()
    for each in minutes:
        sums[each.at] += each.firings
    return next(iter(sums.most_common(1)), None)


def zones_seen(states: Sequence[ZoneState], now: datetime) -> list[ZoneSeen]:
    """The zones as they are now and within a year. Pure."""
    return [
        ZoneSeen(state, offset_of(now, state.zone), _next_change(state.zone, now))
        for state in states
    ]


def _next_change(zone: str, now: datetime) -> datetime | None:
    at, offset = now, offset_of(now, zone)
    # Offsets hold for weeks everywhere: in Morocco Ramadan is the shortest.
    while at < now + _YEAR:
        if offset_of(at + _WEEK, zone) != offset:
            return change_between(at, at + _WEEK, zone)
        at += _WEEK
    return None
