"""A process dies at the end of a transaction, or after it before anybody heard: it is done once."""

import uuid
from datetime import date

import pytest
import sqlalchemy as sa

from kernel.adapters.database import DatabaseOptions, Row
from kernel.metrics import Metrics
from kernel.workers import Pulse
from reminders.acting import Tap
from reminders.action import ActionKind
from reminders.adapters.sql_zones import SqlZoneStore
from reminders.days import MAIN
from reminders.types import FromEvent, Offset
from reminders.zone_watch import ZoneWatch
from tests.reminders.imports.test_reading import calendar, entry
from tests.support import factories_reminders
from tests.support.factories_reminders import AMINA, BILAL, OPTING, day_before, user
from tests.support.fragile import Crash, Fragile

WEDDING = date(2026, 3, 20)
PHONE = uuid.uuid4()


@pytest.fixture
async def room(database_url, clock, metrics):
    """A room whose process may die."""
    database = Fragile(DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"))
    made = factories_reminders.room(database, clock, metrics)
    made.owners.by_device[PHONE] = AMINA
    yield made
    await database.close()


@pytest.fixture
async def event_id(room):
    """Amina is told of one task on the day before; nothing is planned yet."""
    made = await room.events.create(
        user(AMINA), title="زفاف", zone="Africa/Algiers", day=WEDDING, at=None
    )
    here = user(AMINA), made.event.id
    await room.tasks.create(*here, title="القاعة", due=FromEvent(Offset()))
    await room.rules.put(
        *here, rule_id=uuid.uuid4(), task_id=None, user_id=None, lead=day_before(), exact=True
    )
    return made.event.id


async def planned(room):
    await room.planner.step()
    (at,) = await room.coming()
    room.clock.move(seconds=(at - room.clock.now()).total_seconds())


async def planning(room, _event_id):
    return room.planner.step


async def handing_over(room, _event_id):
    await planned(room)
    return room.scheduler.step


def tapping(kind):
    async def prepare(room, _event_id):
        await planned(room)
        await room.scheduler.step()
        (notice,) = await room.notices()
        tap = Tap(notice.data["firing"], notice.data["action_token"], kind, uuid.uuid4())
        return lambda: room.acting.act(tap)

    return prepare


async def acknowledging(room, _event_id):
    await room.planner.step()
    found = await room.local_alarms.of(user(AMINA), PHONE)
    ids = [each.id for each in found.alarms]
    return lambda: room.local_alarms.acknowledge(user(AMINA), PHONE, alarms=ids, until=found.until)


async def changing_what_a_device_holds(room, event_id):
    acknowledge = await acknowledging(room, event_id)
    await acknowledge()
    await room.events.cancel(user(AMINA), event_id)
    return room.planner.step


async def telling_a_digest(room, _event_id):
    await room.digester.step()
    room.clock.move(days=17, hours=9)
    return room.digester.step


async def opting_out(room, event_id):
    await room.guests.invite(user(AMINA), event_id, user_id=BILAL, part=MAIN)
    token = OPTING.token(BILAL, event_id)
    return lambda: room.guests.opt_out(token, everywhere=False)


async def importing(room, event_id):
    text = calendar(entry("DTSTART;VALUE=DATE:20260306", uid="one", summary="Appeler la salle"))
    return lambda: room.imports.run(user(AMINA), event_id, calendar=text)


async def noting_zones(room, _event_id):
    watch = ZoneWatch(
        store=SqlZoneStore(room.database),
        clock=room.clock,
        metrics=Metrics(),
        planning=Pulse(),
    )
    return watch.step


@pytest.mark.parametrize(
    "prepare",
    [
        planning,
        handing_over,
        tapping(ActionKind.DONE),
        tapping(ActionKind.SNOOZE_1_HOUR),
        acknowledging,
        changing_what_a_device_holds,
        telling_a_digest,
        opting_out,
        importing,
        noting_zones,
    ],
)
async def test_whatever_dies_is_done_again_and_once(room, event_id, prepare):
    act = await prepare(room, event_id)
    before = await everything(room.database)

    room.database.breaks_in = 1
    with pytest.raises((Crash, ExceptionGroup)):
        await act()
    assert await everything(room.database) == before

    # Its answer gets lost, so it is asked for again.
    await act()
    done = await everything(room.database)
    assert done != before
    await act()
    assert await everything(room.database) == done


async def everything(database):
    """All that is stored."""
    found = {}
    async with database.reading() as connection:
        for table in Row.metadata.sorted_tables:
            rows = await connection.execute(sa.select(table))
            found[table.name] = sorted(map(repr, rows))
    return found
