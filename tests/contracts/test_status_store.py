"""What the store of statuses promises, on both databases."""

import asyncio
from datetime import timedelta

import pytest

from kernel.adapters.sql_outbox import SqlOutbox
from kernel.ids import UserId
from kernel.outbox import Entry
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_statuses import SqlAcquaintances, SqlStatuses
from messaging.standing.ports import Recorded
from tests.support.clock import START
from tests.support.factories_messaging import AMINA, KARIM, LINA, NOUR, group, members

HERE, THERE = "a" * 32, "b" * 32


@pytest.fixture
def store(database):
    return SqlStatuses(database)


def at(seconds: float):
    return START + timedelta(seconds=seconds)


def told(user_ids, seen_at):
    return [Entry(f"gone at {seen_at:%S}", each.encode()) for each in user_ids]


async def last_seen(store, user_id: UserId):
    return (await store.recorded([user_id])).get(user_id, Recorded()).last_seen_at


async def test_of_whom_nothing_is_kept_nothing_is_told(store):
    assert await store.recorded([AMINA]) == {}


async def test_a_user_was_last_seen_when_they_departed(store):
    await store.arrived(HERE, {AMINA: at(0), KARIM: at(1)})
    await store.departed(HERE, {AMINA: at(7)})

    assert await last_seen(store, AMINA) == at(7)


async def test_who_is_at_a_node_was_seen_with_its_last_sign_of_life(store):
    await store.arrived(HERE, {AMINA: at(0)})
    assert await last_seen(store, AMINA) == at(0)

    assert await store.renew(HERE, at(10))
    assert await last_seen(store, AMINA) == at(10)


async def test_who_leaves_one_node_is_still_at_another(store):
    await store.arrived(HERE, {AMINA: at(0)})
    await store.arrived(THERE, {AMINA: at(1)})
    await store.departed(HERE, {AMINA: at(2)})
    await store.renew(THERE, at(60))

    assert await last_seen(store, AMINA) == at(60)


async def test_with_a_dead_node_its_users_were_last_seen_when_it_was(store):
    await store.arrived(HERE, {AMINA: at(0), KARIM: at(0)})
    await store.renew(HERE, at(10))
    await store.arrived(THERE, {KARIM: at(50), LINA: at(50)})

    buried = 0
    while more := await store.bury(before=at(40), limit=1, now=at(60), then=told):
        buried += more

    assert buried >= 2
    assert await last_seen(store, AMINA) == at(10)
    assert await last_seen(store, KARIM) == at(50)
    assert await last_seen(store, LINA) == at(50)
    assert not await store.renew(HERE, at(60))
    assert await last_seen(store, AMINA) == at(10)


async def test_what_follows_from_a_death_is_written_with_it(store, database, clock):
    await store.arrived(HERE, {AMINA: at(0), KARIM: at(0)})
    await store.renew(HERE, at(10))

    while await store.bury(before=at(40), limit=1, now=at(60), then=told):
        pass

    entries = await SqlOutbox(database, clock).claim(
        ["gone at 10"], now=at(60), lease=timedelta(seconds=1), limit=10
    )
    assert [entry.payload for entry in entries] == [AMINA.encode(), KARIM.encode()]


async def test_instants_never_go_back(store):
    await store.departed(HERE, {AMINA: at(50)})
    await store.departed(THERE, {AMINA: at(20)})
    await store.active({AMINA: at(40)})
    await store.active({AMINA: at(30)})

    assert await store.recorded([AMINA]) == {AMINA: Recorded(at(50), at(40))}


async def test_being_active_and_being_seen_are_kept_beside_each_other(store):
    await store.active({AMINA: at(1), KARIM: at(2)})
    await store.departed(HERE, {AMINA: at(3)})

    assert await store.recorded([AMINA, KARIM, LINA]) == {
        AMINA: Recorded(at(3), at(1)),
        KARIM: Recorded(None, at(2)),
    }


async def test_a_forgotten_user_leaves_nothing_behind(store):
    await store.arrived(HERE, {AMINA: at(0), KARIM: at(0)})
    await store.departed(THERE, {AMINA: at(1)})
    await store.active({AMINA: at(2)})

    await store.forget([AMINA, LINA])

    assert await store.recorded([AMINA, KARIM]) == {KARIM: Recorded(at(0))}


async def test_many_users_are_asked_about_at_once(store):
    users = [UserId(f"user{number:04}") for number in range(1500)]
    await store.departed(HERE, dict.fromkeys(users, at(1)))

    assert len(await store.recorded([*users, AMINA])) == 1500


async def test_nodes_that_write_about_the_same_users_do_not_lock_each_other(store):
    users = [UserId(f"user{number:03}") for number in range(100)]

    async with asyncio.timeout(30):
        await asyncio.gather(
            *(store.arrived(f"{node:032}", dict.fromkeys(users, at(node))) for node in range(8)),
            *(
                store.departed(f"{node:032}", dict.fromkeys(users[::-1], at(node)))
                for node in range(8)
            ),
            *(store.active(dict.fromkeys(users[::-1], at(node))) for node in range(8)),
        )

    assert (await store.recorded(users))[users[0]].active_at == at(7)


async def test_members_of_the_same_conversations_have_to_do_with_each_other(database, clock):
    conversations = SqlConversations(database=database, clock=clock)
    for users in ((AMINA, KARIM), (AMINA, KARIM, LINA), (NOUR, LINA)):
        there = group()
        await conversations.create(there, members(there, *users))
    acquaintances = SqlAcquaintances(database)

    assert await acquaintances.of(AMINA, [KARIM, LINA, NOUR, UserId("nobody")]) == {KARIM, LINA}
    assert await acquaintances.of(NOUR, [AMINA, KARIM]) == set()
    assert await acquaintances.of(UserId("nobody"), [AMINA]) == set()
