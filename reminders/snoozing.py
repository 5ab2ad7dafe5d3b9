"""Snoozing: ask to be told of the same task again later. The series and its rules stay."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.workers import Pulse
from reminders.authority import Act, acting_for_user, check_sees, require, task_on
from reminders.countries import SATURDAY
from reminders.errors import SnoozedTooOften
from reminders.ports import CalendarStore, Change, OtherSnoozes, TakeBack
from reminders.times import resolve, wall_of
from reminders.types import Sheet, Snooze, Task

OFTEN = 20
"""How often a user may snooze one occurrence."""

WAITING = 50
"""Of how many tasks a user may have asked to be told again."""

FARTHEST = timedelta(days=366)


class Later(StrEnum):
    """When, as people say it."""

    MINUTES = "20_minutes"
    HOUR = "1_hour"
    EVENING = "this_evening"
    TOMORROW = "tomorrow"
    SATURDAY = "saturday"


def instant_of_choice(choice: Later, now: datetime, zone: str) -> datetime:
    """When that is on the wall of `zone`; always after now."""
    match choice:
        case Later.MINUTES:
            return now + timedelta(minutes=20)
        case Later.HOUR:
            return now + timedelta(hours=1)
    wall = wall_of(now, zone)
    today = wall.date()
    match choice:
        case Later.EVENING if wall.time() < time(18):
            return resolve(datetime.combine(today, time(18)), zone)
        case Later.SATURDAY:
            days = (SATURDAY - today.weekday()) % 7 or 7
            return resolve(datetime.combine(today + timedelta(days=days), time(10)), zone)
        case _:
            return resolve(datetime.combine(today + timedelta(days=1), time(9)), zone)


def with_snooze(
    task: Task,
    user_id: UserId,
    *,
    action_id: UUID,
    at: datetime,
    asked_at: datetime,
    others: int,
) -> Task:
    """The task of which the user is told again then, and no more when they had asked for before.

    Raises `SnoozedTooOften`, also when as many `others` as may be wait for that already.
    """
    of_others = [each for each in task.details.snoozes if each.user_id != user_id]
    mine = next((each for each in task.details.snoozes if each.user_id == user_id), None)
    number = 1 if mine is None else mine.number + 1
    if others >= WAITING:
        raise SnoozedTooOften("As many tasks are snoozed as may be.", limit=WAITING)
    if number > OFTEN:
        raise SnoozedTooOften("It was snoozed as often as it may be.", limit=OFTEN)
    snoozes = (*of_others, Snooze(action_id, user_id, at, number, asked_at))
    details = replace(task.details, snoozes=snoozes)
    return replace(task, details=details, sched_version=task.sched_version + 1)


class Snoozing:
    """Beats `planning`, so that the plan follows at once."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def snooze(
        self,
        principal: Principal,
        event_id: UUID,
        task_id: UUID,
        *,
        action_id: UUID,
        choice: Later | None = None,
        until: datetime | None = None,
        user_id: UserId | None = None,
    ) -> datetime:
        """Tell the user again then; returns when. It takes the place of an earlier snooze.

        The caller's own `action_id` makes asking twice harmless.
        """
        user = acting_for_user(principal, user_id)
        now = self._clock.now()
        if (choice is None) == (until is None):
            raise InvalidInput("choice", "or until is required, and not both")
        if until is not None and not now < until <= now + FARTHEST:
            raise InvalidInput("until", "must be to come, and within a year")
        person = await self._store.person(user)
        told: list[datetime] = []

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.WORK)
            task = task_on(principal, sheet)
            check_sees(sheet, task, user)
            mine = next((each for each in task.details.snoozes if each.user_id == user), None)
            if mine is not None and mine.action_id == action_id:
                told.append(mine.at)
                return []
            zone = sheet.event.zone if person is None else person.zone_now
            at = until or instant_of_choice(choice or Later.HOUR, now, zone)
            told.append(at)
            snoozed = with_snooze(
                task, user, action_id=action_id, at=at, asked_at=now, others=sheet.others
            )
            return [snoozed, TakeBack(task_id, user_id=user, over=False)]

        counted = OtherSnoozes(user)
        await self._store.change(event_id, decide, now=now, task_id=task_id, counted=counted)
        self._planning.beat()
        return told[0]
