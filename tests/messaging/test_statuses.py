"""Who is online, who is active, and when they were last seen."""

import asyncio
from datetime import timedelta

import pytest

from kernel.errors import InvalidInput, Unavailable
from kernel.ids import UserId
from kernel.workers import Stop
from messaging.adapters.memory_presence import MemoryPresence
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_statuses import SqlAcquaintances, SqlStatuses
from messaging.standing.activity import BATCH, Activity
from messaging.standing.sightings import Sightings
from messaging.standing.statuses import AT_ONCE, Statuses, StatusOptions
from messaging.types import Presence
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import AMINA, KARIM, LINA, NOUR, group, members
from tests.support.standing import OPERATOR

OPTIONS = StatusOptions()
HERE, THERE = "a" * 32, "b" * 32


@pytest.fixture
def store(sqlite_database):
    return SqlStatuses(sqlite_database)


@pytest.fixture
def registry():
    return MemoryPresence()


@pytest.fixture
def statuses(sqlite_database, store, registry, clock):
    return _statuses(sqlite_database, store, registry, clock)


def _statuses(database, store, registry, clock, **options: object) -> Statuses:
    return Statuses(
        store,
        registry=registry,
        acquaintances=SqlAcquaintances(database),
        clock=clock,
        options=StatusOptions(**options),
    )


def at(seconds: float):
    return START + timedelta(seconds=seconds)


# --- asking ---------------------------------------------------------------------------------------


async def test_a_user_is_online_while_connected_and_seen_now(statuses, registry, clock):
    await registry.enter([Presence(AMINA, "1")])
    clock.move(seconds=5)

    [amina, karim] = await statuses.of([AMINA, KARIM])

    assert (amina.online, amina.active, amina.last_seen_at) == (True, False, at(5))
    assert (karim.online, karim.active, karim.last_seen_at) == (False, False, None)


async def test_a_user_is_active_for_a_while_after_saying_so(statuses, clock):
    await statuses.mark_active([AMINA])

    clock.move(seconds=59)
    [amina] = await statuses.of([AMINA])
    assert (amina.active, amina.active_at) == (True, at(0))

    clock.move(seconds=1)
    [amina] = await statuses.of([AMINA])
    assert (amina.active, amina.active_at) == (False, at(0))


async def test_a_user_learns_about_those_with_whom_they_talk_and_themselves(
    sqlite_database, statuses, clock
):
    conversations = SqlConversations(database=sqlite_database, clock=clock)
    for users in ((AMINA, KARIM), (LINA, NOUR)):
        there = group()
        await conversations.create(there, members(there, *users))

    seen = await statuses.seen_by(AMINA, [NOUR, KARIM, AMINA, LINA, KARIM])

    assert [each.user_id for each in seen] == [KARIM, AMINA]


async def test_operators_may_keep_it_from_users(sqlite_database, store, registry, clock):
    conversations = SqlConversations(database=sqlite_database, clock=clock)
    there = group()
    await conversations.create(there, members(there, AMINA, KARIM))
    statuses = _statuses(sqlite_database, store, registry, clock, among_acquaintances=False)

    assert [each.user_id for each in await statuses.seen_by(AMINA, [KARIM, AMINA])] == [AMINA]


async def test_so_many_users_may_be_asked_about_at_once(statuses):
    users = [UserId(f"user{number}") for number in range(AT_ONCE + 1)]

    assert len(await statuses.of(users[:-1])) == AT_ONCE
    with pytest.raises(InvalidInput):
        await statuses.of(users)
    with pytest.raises(InvalidInput):
        await statuses.of([UserId("a b")])


async def test_a_forgotten_user_was_never_seen(statuses, store):
    await store.departed(HERE, {AMINA: at(0)})
    await statuses.mark_active([AMINA])

    await statuses.forget([AMINA], by=OPERATOR)

    [amina] = await statuses.of([AMINA])
    assert (amina.last_seen_at, amina.active_at) == (None, None)


# --- being active ---------------------------------------------------------------------------------


@pytest.fixture
def activity(store, clock):
    return Activity(store, clock=clock, write_seconds=OPTIONS.write_seconds)


async def test_however_often_a_user_is_active_it_is_written_once_in_a_while(activity, store, clock):
    for _ in range(14):
        activity.note(AMINA)
        clock.move(seconds=1)
    await activity.step()
    assert (await store.recorded([AMINA]))[AMINA].active_at == at(0)
    assert await activity.step() == 0

    clock.move(seconds=1)
    activity.note(AMINA)
    await activity.step()
    assert (await store.recorded([AMINA]))[AMINA].active_at == at(15)


async def test_what_could_not_be_written_is_written_later(store, clock):
    class Away(SqlStatuses):
        """A database that does not answer at first."""

        away = True

        async def active(self, at):
            if self.away:
                raise Unavailable("away")
            await super().active(at)

    database = Away(store._database)
    activity = Activity(database, clock=clock, write_seconds=15)
    activity.note(AMINA)
    with pytest.raises(Unavailable):
        await activity.step()

    database.away = False
    await activity.step()
    assert (await store.recorded([AMINA]))[AMINA].active_at == at(0)


async def test_nothing_is_remembered_of_who_is_quiet(activity, clock):
    activity.note(AMINA)
    await activity.step()
    clock.move(seconds=16)
    await activity.step()

    assert not activity._noted
    assert not activity._unwritten


async def test_many_active_users_are_written_in_batches(activity, store):
    users = [UserId(f"user{number}") for number in range(BATCH + 1)]
    for user_id in users:
        activity.note(user_id)

    assert await activity.step() == BATCH
    assert await activity.step() == 0
    assert len(await store.recorded(users)) == BATCH + 1


async def test_what_was_noted_is_written_when_the_node_ends(activity, store):
    stop = Stop()
    stop.ask()
    activity.note(AMINA)

    await activity.run(stop)

    assert AMINA in await store.recorded([AMINA])


# --- coming and going -----------------------------------------------------------------------------


class Guests:
    """Who is connected, as the test wants."""

    def __init__(self) -> None:
        self.here: set[UserId] = set()

    def __call__(self) -> set[UserId]:
        return self.here


@pytest.fixture
def guests():
    return Guests()


def sightings(store, guests, clock, node_id: str = HERE) -> Sightings:
    return Sightings(store, node_id=node_id, users=guests, clock=clock, options=OPTIONS)


async def last_seen(store, user_id: UserId):
    found = await store.recorded([user_id])
    return found[user_id].last_seen_at if user_id in found else None


async def test_who_left_was_last_seen_then(store, guests, clock):
    keeping = sightings(store, guests, clock)
    guests.here = {AMINA, KARIM}
    await keeping.step()

    clock.move(seconds=30)
    guests.here = {KARIM}
    await keeping.step()
    clock.move(seconds=10)
    await keeping.step()

    assert await last_seen(store, AMINA) == at(30)


async def test_who_is_back_soon_has_not_been_away(store, guests, clock):
    keeping = sightings(store, guests, clock)
    guests.here = {AMINA}
    await keeping.step()
    guests.here = set()
    clock.move(seconds=2)
    await keeping.step()
    guests.here = {AMINA}
    clock.move(seconds=2)

    assert await keeping.step() == 0
    clock.move(seconds=60)
    await keeping.step()
    assert await last_seen(store, AMINA) == at(64)


async def test_a_clock_that_goes_back_keeps_nobody_here(store, guests):
    class Jumping(ManualClock):
        """A clock that somebody sets back."""

        back = timedelta(0)

        def now(self):
            return super().now() - self.back

    clock = Jumping()
    keeping = sightings(store, guests, clock)
    guests.here = {AMINA}
    await keeping.step()
    clock.move(seconds=30)
    guests.here = set()
    await keeping.step()
    clock.back = timedelta(hours=1)
    clock.move(seconds=10)

    assert await keeping.step() == 1
    assert await last_seen(store, AMINA) == at(30)


async def test_nothing_is_written_about_those_who_stay(store, guests, clock):
    keeping = sightings(store, guests, clock)
    guests.here = {AMINA}
    assert await keeping.step() == 1

    for _ in range(100):
        clock.move(seconds=2)
        assert await keeping.step() == 0
    assert at(190) <= await last_seen(store, AMINA) <= at(200)


async def test_users_of_a_node_that_died_were_last_seen_with_it(store, guests, clock):
    dead = sightings(store, guests, clock)
    guests.here = {AMINA}
    await dead.step()
    clock.move(seconds=20)
    await dead.step()

    living = sightings(store, Guests(), clock, THERE)
    for _ in range(4):
        clock.move(seconds=30)
        await living.step()

    assert await last_seen(store, AMINA) == at(20)
    assert not await store.renew(HERE, clock.now())


async def test_a_node_that_was_given_up_tells_anew_who_is_there(store, guests, clock):
    stuck = sightings(store, guests, clock)
    guests.here = {AMINA}
    await stuck.step()
    clock.move(seconds=120)
    await sightings(store, Guests(), clock, THERE).step()

    await stuck.step()
    await stuck.step()
    clock.move(seconds=10)
    await stuck.step()

    assert await last_seen(store, AMINA) == at(130)


async def test_a_node_that_ends_says_who_was_there(store, guests, clock):
    keeping = sightings(store, guests, clock)
    guests.here = {AMINA, KARIM}
    await keeping.step()
    clock.move(seconds=30)
    guests.here = {KARIM}
    stop = Stop()
    stop.ask()

    async with asyncio.timeout(5):
        await keeping.run(stop)

    assert await last_seen(store, AMINA) == at(30)


@pytest.mark.parametrize(
    "wrong",
    [
        {"write_seconds": 60.0},
        {"write_seconds": 0.0},
        {"renew_seconds": 31.0},
        {"linger_seconds": -1.0},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        StatusOptions(**wrong)
