"""A wedding with tasks, made by the use cases as a user would."""

import uuid
from datetime import date, datetime
from uuid import UUID

from reminders.person import Person
from reminders.ports import CalendarStore
from reminders.types import DueSpec, FromEvent, Lead, Offset, Task
from tests.support.clock import START
from tests.support.factories_reminders import AMINA, Room, day_before, user


async def put_person(calendar: CalendarStore, person: Person, now: datetime = START) -> None:
    """A profile in place of the user's earlier one."""
    await calendar.change_person(person.user_id, lambda _: person, now=now)


async def wedding(room: Room, day: date = date(2026, 3, 10)) -> UUID:
    sheet = await room.events.create(
        user(AMINA), title="زفاف أمينة", zone="Africa/Algiers", day=day, at=None
    )
    return sheet.event.id


async def job(
    room: Room,
    event_id: UUID,
    due: DueSpec = FromEvent(Offset()),  # noqa: B008
    lead: Lead = day_before(),  # noqa: B008
    exact: bool = True,
) -> Task:
    """A task with a rule that tells the owners."""
    task = await room.tasks.create(user(AMINA), event_id, title="Confirmer la salle", due=due)
    await room.rules.put(
        user(AMINA),
        event_id,
        rule_id=uuid.uuid4(),
        task_id=task.id,
        user_id=None,
        lead=lead,
        exact=exact,
    )
    return task
