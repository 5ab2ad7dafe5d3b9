"""Two events alike, to which the same is done in another order."""

from collections.abc import Sequence
from datetime import time, timedelta
from uuid import UUID

from kernel.identity import Principal
from reminders.types import FromEvent, Offset, OnDay, Role, TaskDetails
from tests.support.factories_reminders import AMINA, BILAL, user
from tests.support.reliving import ALGIERS, Life


async def in_any_order(life: Life, order: Sequence[int], days: int) -> None:
    """Of two events alike the same is asked in another order: the same waits for both."""
    events: list[list[tuple[object, ...]]] = []
    for turns in (range(len(order)), order):
        here, jobs = await _another_event(life)
        day = life.clock.now().date() + timedelta(days=days + 2)
        doings = [
            life.room.tasks.update(*here, jobs[0], title="Robe", due=OnDay(day), assignee_id=BILAL),
            life.room.tasks.complete(*here, jobs[1]),
            life.room.moving.move(*here, day=day, at=time(19)),
            life.room.choosing.choose(*here, jobs[2], usual=True, nag=False),
        ]
        for turn in turns:
            await doings[turn]
        while await life.room.planner.step():
            pass
        names = {job: number for number, job in enumerate(jobs)}
        events.append(
            sorted(
                (names.get(row.task_id, -1), row.user_id, row.due_at, row.useful_until)
                for row in (await life.waiting(of=[here[1]])).values()
            )
        )
        await life.room.events.cancel(*here)
    assert events[0] == events[1]
    await life.settle()


async def _another_event(life: Life) -> tuple[tuple[Principal, UUID], list[UUID]]:
    day = life.clock.now().date() + timedelta(days=9)
    sheet = await life.room.events.create(
        user(AMINA), title="حناء", zone=ALGIERS, day=day, at=time(19)
    )
    here = user(AMINA), sheet.event.id
    await life.room.events.put_member(*here, user_id=BILAL, role=Role.OWNER)
    jobs = [
        await life.room.tasks.create(
            *here,
            title="Robe",
            due=FromEvent(Offset(days=-each)),
            details=TaskDetails(usual=each > 1),
        )
        for each in (0, 2, 5)
    ]
    return here, [job.id for job in jobs]
