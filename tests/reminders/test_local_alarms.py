"""What devices show by themselves, and when they are told that it is no longer so."""

import uuid
from contextlib import nullcontext
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from reminders.adapters.sql_alarms import SYNCS, SqlAlarmStore, tell_holders
from reminders.alarm import ALARMS_CHANGED, AT_ONCE
from reminders.alarms import FARTHEST
from reminders.errors import DeviceUnknown
from reminders.firing import FiringClass
from reminders.person import Ramadan
from reminders.types import FromEvent, Offset, Role
from tests.support import weddings
from tests.support.factories_reminders import AMINA, BILAL, day_before, server, task, user

PHONE, TABLET = uuid.UUID(int=1), uuid.UUID(int=2)
WEDDING = date(2026, 3, 10)


@pytest.fixture
def room(room):
    """On SQLite."""
    room.owners.by_device |= {PHONE: AMINA, TABLET: AMINA}
    return room


@pytest.fixture
def anywhere(anywhere):
    """On each database."""
    anywhere.owners.by_device |= {PHONE: AMINA, TABLET: AMINA}
    return anywhere


async def wedding(room, tasks=1, day=WEDDING):
    """An event whose tasks Amina is told of on the day before; their ids."""
    made = await room.events.create(
        user(AMINA), title="زفاف", zone="Africa/Algiers", day=day, at=None
    )
    found = [task(made.event, title=f"Tâche {number}") for number in range(tasks)]
    await room.calendar.change(made.event.id, lambda _: found, now=room.clock.now())
    await room.rules.put(
        user(AMINA),
        made.event.id,
        rule_id=uuid.uuid4(),
        task_id=None,
        user_id=None,
        lead=day_before(),
        exact=True,
    )
    await room.planner.step()
    return made.event.id, [each.id for each in found]


async def sync(room, device_id=PHONE):
    """The device takes all there is, and says so."""
    found = await room.local_alarms.of(user(AMINA), device_id)
    ids = [each.id for each in found.alarms]
    await room.local_alarms.acknowledge(user(AMINA), device_id, alarms=ids, until=found.until)
    return found


async def rows(room):
    """How many devices anything is kept of."""
    async with room.database.reading() as connection:
        query = sa.select(sa.func.count()).select_from(SYNCS)
        return (await connection.execute(query)).scalar_one()


async def told(room):
    """How many devices were told that they are to sync again; looking takes them."""
    return len(await room.taken(ALARMS_CHANGED))


async def test_a_device_is_released_by_the_user_who_has_it_and_by_nobody_else(anywhere):
    """Whose it was may say so when it is another's already."""
    room = anywhere
    await wedding(room)
    await sync(room)

    await room.alarms.release(PHONE, BILAL)
    assert list(await room.alarms.syncs([AMINA])) == [PHONE]
    await room.alarms.release(PHONE, AMINA)
    assert await room.alarms.syncs([AMINA]) == {}


async def test_what_a_device_holds_is_what_goes_off(anywhere):
    room = anywhere
    await wedding(room)
    room.clock.move(days=2)
    found = await sync(room)

    room.clock.move(days=6)
    await room.scheduler.step()

    (notice,) = await room.notices()
    assert notice.alarms == tuple(each.id for each in found.alarms)
    (alarm,) = found.alarms
    assert alarm.data["firing"] == notice.data["firing"] == notice.collapse_key
    assert alarm.words == notice.variables
    held = await room.alarms.held([AMINA, BILAL])
    assert held == {AMINA: {PHONE: notice.alarms}}


async def test_devices_keep_what_the_announced_ramadan_lets_go_off(room):
    """It ends a day later than the calendar has it: what would be the feast is a fasting day."""
    room.almanac.known = [Ramadan(1447, date(2026, 2, 19), date(2026, 3, 20))]
    event_id = await weddings.wedding(room, date(2026, 3, 21))
    await weddings.job(room, event_id, exact=False)
    await room.planner.step()

    found = await room.local_alarms.of(user(AMINA), PHONE)

    assert [each.due.firing.due_at.date() for each in found.alarms] == [date(2026, 3, 20)]


async def test_devices_are_given_nothing_of_a_class_that_is_paused(room):
    await wedding(room)
    await room.operating.pause(server(), FiringClass.EXACT_CALENDAR)
    held_back = await room.local_alarms.of(user(AMINA), PHONE)
    await room.operating.resume(server(), FiringClass.EXACT_CALENDAR)

    assert held_back.alarms == []
    assert len((await room.local_alarms.of(user(AMINA), PHONE)).alarms) == 1


async def test_what_would_be_shown_otherwise_is_another_alarm(room):
    event_id, (task_id,) = await wedding(room)
    found = await sync(room)
    await room.tasks.update(
        user(AMINA), event_id, task_id, title="Autre", due=FromEvent(Offset()), assignee_id=None
    )

    room.clock.move(days=8)
    await room.scheduler.step()

    (notice,) = await room.notices()
    assert notice.alarms != tuple(each.id for each in found.alarms)
    assert notice.data["firing"] == found.alarms[0].data["firing"]


async def test_a_change_is_told_once_until_the_device_has_synced_again(anywhere):
    room = anywhere
    event_id, (first, second) = await wedding(room, tasks=2)
    await sync(room)
    assert await told(room) == 0

    await room.moving.move(user(AMINA), event_id, day=WEDDING + timedelta(days=1), at=None)
    await room.planner.step()
    await room.tasks.complete(user(AMINA), event_id, first)
    await room.planner.step()
    assert await told(room) == 1

    await sync(room)
    await room.tasks.complete(user(AMINA), event_id, second)
    assert await told(room) == 1


async def test_what_changes_while_a_device_takes_its_alarms_is_told(anywhere):
    room = anywhere
    event_id, tasks = await wedding(room, tasks=2)

    for task_id in tasks:
        found = await room.local_alarms.of(user(AMINA), PHONE)
        await room.tasks.complete(user(AMINA), event_id, task_id)
        ids = [each.id for each in found.alarms]
        await room.local_alarms.acknowledge(user(AMINA), PHONE, alarms=ids, until=found.until)

        assert await told(room) == 1
        (held,) = (await room.alarms.syncs([AMINA])).values()
        assert (held.alarms, held.stale_at) == (tuple(ids), room.clock.now())


async def test_a_device_that_only_asked_holds_nothing(anywhere):
    room = anywhere
    await wedding(room)

    await room.local_alarms.of(user(AMINA), PHONE)

    assert (await room.local_alarms.of(user(AMINA), PHONE)).held is None
    assert await room.alarms.held([AMINA]) == {}


async def test_a_device_that_asks_for_another_user_is_told_of_theirs(anywhere):
    room = anywhere
    await wedding(room)
    await sync(room)
    await wedding(room)
    assert await told(room) == 1
    room.owners.by_device[PHONE] = BILAL

    await room.local_alarms.of(user(BILAL), PHONE)
    event_id, _ = await wedding(room)
    await room.events.put_member(user(AMINA), event_id, user_id=BILAL, role=Role.OWNER)
    await room.planner.step()

    assert await room.alarms.held([AMINA, BILAL]) == {}
    assert await told(room) == 1


async def test_a_device_is_told_of_all_that_it_asked_for_before_it_holds_it(anywhere):
    room = anywhere
    tomorrow = room.clock.now() + timedelta(days=1)
    await room.local_alarms.acknowledge(user(AMINA), PHONE, alarms=[], until=tomorrow)
    await wedding(room)
    assert await told(room) == 0

    await room.local_alarms.of(user(AMINA), PHONE)
    await wedding(room)

    assert await told(room) == 1


async def test_who_asks_waits_for_what_is_being_changed_and_so_finds_it(postgres_database, clock):
    """Also a device that was told already, and is told again only of what it does not find."""
    database, at = postgres_database, clock.now()
    await SqlAlarmStore(database, clock).ask(PHONE, AMINA, until=at)
    free = sa.select(SYNCS.c.device_id).with_for_update(skip_locked=True)

    for _ in range(2):
        async with database.transaction() as changing, database.transaction() as asking:
            await tell_holders(changing, {AMINA: at}, at)
            assert (await asking.execute(free)).all() == []


async def test_every_device_is_told_and_none_of_what_it_does_not_hold(room):
    event_id, _ = await wedding(room)
    await sync(room)
    found = await room.local_alarms.of(user(AMINA), TABLET)
    tomorrow = room.clock.now() + timedelta(days=1)
    await room.local_alarms.acknowledge(user(AMINA), TABLET, alarms=[], until=tomorrow)
    assert len(found.alarms) == 1

    await room.events.cancel(user(AMINA), event_id)
    assert await told(room) == 1


async def test_a_new_reminder_within_what_a_device_holds_is_told(room):
    await sync(room)

    await wedding(room)

    assert await told(room) == 1


async def test_a_device_is_given_as_many_as_it_may_hold_and_until_when_that_is_all(room):
    await wedding(room, tasks=AT_ONCE)

    found = await sync(room)
    assert (len(found.alarms), found.until) == (AT_ONCE, room.clock.now() + FARTHEST)

    for days in (2, 3):
        await wedding(room, day=WEDDING + timedelta(days=days))
    found = await sync(room)
    assert (len(found.alarms), found.until) == (AT_ONCE, room.clock.now() + timedelta(days=10))


async def test_of_what_is_due_at_once_a_device_is_given_all_or_nothing(room):
    await wedding(room, tasks=AT_ONCE + 2)
    await wedding(room, day=WEDDING + timedelta(days=2))

    found = await room.local_alarms.of(user(AMINA), PHONE)

    assert found.alarms == []
    assert found.until == room.clock.now() + timedelta(days=8)


async def test_what_was_not_acknowledged_for_a_week_is_not_believed(anywhere):
    room = anywhere
    await wedding(room)
    await sync(room)

    room.clock.move(days=6)
    assert await room.alarms.held([AMINA])
    assert await room.forgetting.step() == 0
    room.clock.move(days=1)
    assert await room.alarms.held([AMINA]) == {}


async def test_what_is_forgotten_meanwhile_takes_no_news_from_a_device_that_asked(anywhere):
    room = anywhere
    event_id, (task_id,) = await wedding(room)
    await sync(room)
    room.clock.move(days=7)
    await room.planner.step()

    found = await room.local_alarms.of(user(AMINA), PHONE)
    assert await room.forgetting.step() == 0
    await room.tasks.complete(user(AMINA), event_id, task_id)
    await room.local_alarms.acknowledge(user(AMINA), PHONE, alarms=[], until=found.until)

    assert await told(room) == 1
    room.clock.move(days=36)
    assert await room.forgetting.step() > 0
    assert await rows(room) == 0


async def test_a_device_may_stop_showing_by_itself(room):
    await wedding(room)
    await sync(room)

    for _ in range(2):
        await room.local_alarms.forget(user(AMINA), PHONE)

    assert await room.alarms.held([AMINA]) == {}


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        (user(AMINA), None),
        (server(), None),
        (user(BILAL), DeviceUnknown),
        (server(Scope.DEVICES), Denied),
        (Principal(), Denied),
    ],
)
async def test_alarms_are_for_the_devices_own_user_and_for_servers(room, who, refusal):
    until = room.clock.now() + timedelta(days=1)
    alarms = room.local_alarms
    for asking in (
        lambda: alarms.of(who, PHONE),
        lambda: alarms.acknowledge(who, PHONE, alarms=[], until=until),
        lambda: alarms.forget(who, PHONE),
    ):
        with pytest.raises(refusal) if refusal else nullcontext():
            await asking()


@pytest.mark.parametrize(
    ("count", "days"), [(AT_ONCE + 1, 1), (0, -1), (0, 36)], ids=["many", "past", "far"]
)
async def test_what_no_device_can_hold_is_refused(room, count, days):
    until = room.clock.now() + timedelta(days=days)
    alarms = [str(number) for number in range(count)]

    with pytest.raises(InvalidInput):
        await room.local_alarms.acknowledge(user(AMINA), PHONE, alarms=alarms, until=until)
    with pytest.raises(DeviceUnknown):
        await room.local_alarms.of(user(AMINA), uuid.uuid4())
