"""Moving an event: what it would do, doing it, and taking it back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.workers import Pulse
from reminders import limits
from reminders.anchoring import checked_anchor, with_anchor
from reminders.authority import Act, require
from reminders.days import UNDO, Anchor, Moved, Place
from reminders.due import anchor_of, due_on
from reminders.errors import NotMoved
from reminders.event_news import MOVED_FOR, news_of_move
from reminders.ports import CalendarStore, Change, Decide
from reminders.times import checked_day, checked_zone, wall_of
from reminders.types import Due, Event, Sheet, Task


@dataclass(frozen=True, slots=True)
class Shift:
    """A task whose due would be another."""

    task: Task
    before: Due | None
    after: Due | None
    late: bool
    """The new due is over already, and the old one was not."""


@dataclass(frozen=True, slots=True)
class PartShift:
    """A part of the event that would be on another day."""

    code: str
    before: Due | None
    after: Due | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a move would do to the tasks that are still open, of those that one sees."""

    shifts: Sequence[Shift]
    pinned: int
    """Tasks with a due of their own: they stay."""
    parts: Sequence[PartShift] = ()


class Moving:
    """Moving beats `planning`; looking changes nothing."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def preview(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        day: date | None,
        at: time | None,
        zone: str | None = None,
    ) -> Preview:
        """What moving the event there would do."""
        checked_move(day, at, zone)

        def moved(event: Event) -> Event:
            return replace(event, day=day, at=at, zone=zone or event.zone)

        return await self._previewed(principal, event_id, moved)

    async def preview_part(self, principal: Principal, event_id: UUID, anchor: Anchor) -> Preview:
        """What putting a part of the event there would do."""
        checked_anchor(anchor)

        def moved(event: Event) -> Event:
            return replace(event, anchors=with_anchor(event.anchors, anchor))

        return await self._previewed(principal, event_id, moved)

    async def _previewed(
        self, principal: Principal, event_id: UUID, moved: Callable[[Event], Event]
    ) -> Preview:
        sheet = await self._store.sheet(event_id)
        require(principal, sheet, Act.SEE)
        tasks = await self._store.tasks_of(
            event_id, cursor=None, limit=limits.TASKS, seen_by=principal.user_id
        )
        return _preview(sheet.event, moved(sheet.event), tasks.items, self._clock.now())

    async def move(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        day: date | None,
        at: time | None,
        zone: str | None = None,
    ) -> Sheet:
        """Say when the event is instead; what is due relative to it moves along."""
        checked_move(day, at, zone)
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.DECIDE)
            event = sheet.event
            moved = replace(event, day=day, at=at, zone=zone or event.zone)
            if moved == event:
                return []
            back = _back(event, now, principal.user_id)
            return [_replanned(replace(moved, moved=back), _since(event, moved, now))]

        await self._change(event_id, decide, now)
        return await self._store.sheet(event_id)

    async def undo(self, principal: Principal, event_id: UUID) -> Sheet:
        """Put the event back where it was, within ten minutes of moving it."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.DECIDE)
            back = sheet.event.moved
            if back is None or now >= back.until:
                raise NotMoved("The event was not moved within the last ten minutes.")
            there = replace(sheet.event, day=back.day, at=back.at, zone=back.zone)
            known, news = back.known, back.untold
            if known is not None and known != back.place:
                # It was moved twice: who was not told of either is told of the first.
                news = replace(back, day=known.day, at=known.at, zone=known.zone, planned_from=None)
            return [_replanned(replace(there, moved=news), back.planned_from or now)]

        await self._change(event_id, decide, now)
        return await self._store.sheet(event_id)

    async def _change(self, event_id: UUID, decide: Decide, now: datetime) -> None:
        await self._store.change(event_id, decide, now=now)
        self._planning.beat()


def _preview(event: Event, moved: Event, tasks: Sequence[Task], now: datetime) -> Preview:
    today = wall_of(now, moved.zone).date()
    shifts: list[Shift] = []
    pinned = 0
    for task in tasks:
        if task.done_at is not None or task.due is None:
            continue
        before, after = due_on(task, event), due_on(task, moved)
        if before == after:
            pinned += 1
            continue
        late = after is not None and after.day < today
        was_late = before is not None and before.day < today
        shifts.append(Shift(task, before, after, late and not was_late))
    parts = [
        PartShift(each.code, anchor_of(event, each.code), anchor_of(moved, each.code))
        for each in moved.anchors
    ]
    return Preview(shifts, pinned, [each for each in parts if each.before != each.after])


def checked_move(day: date | None, at: time | None, zone: str | None) -> None:
    """Refuse a time without a day, and days and zones that nobody can mean."""
    if day is not None:
        checked_day(day)
    elif at is not None:
        raise InvalidInput("at", "needs a day")
    if zone is not None:
        checked_zone(zone)


def _back(event: Event, now: datetime, user_id: UserId | None) -> Moved:
    """What is kept of where an event is that the user moves now."""
    until, last = now + UNDO, event.moved
    back = Moved(
        day=event.day,
        at=event.at,
        zone=event.zone,
        until=until,
        by=user_id,
        planned_from=event.planned_from,
    )
    if last is not None and last.known is not None and now < last.until:
        # Nobody was told of the last move, nor is anybody now.
        first = last.first_until or last.until
        return replace(back, known=last.known, first_until=first, untold=last.untold)
    news = news_of_move(event)
    if news is not None:
        news = None if now >= news.until + MOVED_FOR else replace(news, untold=None)
    return replace(back, known=back.place, first_until=until, untold=news)


def _since(event: Event, moved: Event, now: datetime) -> datetime:
    """From when on it is planned where it is now: what waited where it was before its last move
    waits again if it comes back at once."""
    back = event.moved
    if back is None or back.planned_from is None or now >= back.until:
        return now
    return back.planned_from if Place(moved.day, moved.at, moved.zone) == back.place else now


def _replanned(event: Event, since: datetime) -> Event:
    return replace(event, sched_version=event.sched_version + 1, planned_from=since)
