"""What every store of conversations promises, on SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions, table_of
from kernel.adapters.tables import OutboxRow
from kernel.errors import InvalidInput
from kernel.ids import UserId, new_id
from kernel.outbox import Entry
from messaging.adapters.sql_conversations import SqlConversations
from messaging.errors import ConversationFull, LastOwner
from messaging.types import Audience, Conversation, ConversationKind, Member, Role
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import (
    AMINA,
    KARIM,
    LINA,
    NOUR,
    direct,
    group,
    member,
    members,
)


@pytest.fixture
def store(database: Database, clock: ManualClock) -> SqlConversations:
    return SqlConversations(database=database, clock=clock)


@pytest.fixture
async def other_node(database_url: str, clock: ManualClock) -> AsyncIterator[SqlConversations]:
    """A second process's view of the same database."""
    database = Database(DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"))
    yield SqlConversations(database=database, clock=clock)
    await database.close()


async def test_what_was_created_is_found_again(store):
    there = group()

    assert await store.create(there, members(there, AMINA, KARIM)) == there

    assert await store.get(there.id) == there
    assert await store.member(there.id, AMINA) == member(there, AMINA, Role.OWNER)
    assert await store.member(there.id, KARIM) == member(there, KARIM)


async def test_what_was_never_created_is_not_found(store):
    nowhere = new_id(START)

    assert await store.get(nowhere) is None
    assert await store.member(nowhere, AMINA) is None
    assert await store.members([nowhere]) == {}
    assert await store.audiences([nowhere]) == {}


async def test_two_users_have_one_direct_conversation_whoever_opens_it(store):
    first, second = direct(), direct()

    assert await store.create(first, members(first, AMINA, KARIM)) == first
    assert await store.create(second, members(second, KARIM, AMINA)) == first

    assert await store.get(second.id) is None
    assert await store.members([first.id, second.id]) == {first.id: members(first, AMINA, KARIM)}


async def test_nodes_that_open_a_direct_conversation_at_once_get_the_same(store, other_node):
    attempts = [(node, direct()) for _ in range(5) for node in (store, other_node)]

    opened = await asyncio.gather(
        *(node.create(there, members(there, AMINA, KARIM)) for node, there in attempts)
    )

    assert len({there.id for there in opened}) == 1
    assert len((await store.members([opened[0].id]))[opened[0].id]) == 2


async def test_groups_of_the_same_users_are_different_conversations(store):
    first, second = group("un"), group("deux")

    await store.create(first, members(first, AMINA, KARIM))
    await store.create(second, members(second, AMINA, KARIM))

    assert (await store.get(first.id), await store.get(second.id)) == (first, second)


async def test_a_users_conversations_come_in_pages_newest_first(store):
    created = []
    for minute in range(5):
        now = START + timedelta(minutes=minute)
        there = Conversation(new_id(now), ConversationKind.GROUP, f"{minute}", AMINA, now)
        created.append(await store.create(there, members(there, AMINA)))
    foreign = group()
    await store.create(foreign, members(foreign, KARIM))

    first = await store.of_user(AMINA, cursor=None, limit=2)
    second = await store.of_user(AMINA, cursor=first.cursor, limit=2)
    third = await store.of_user(AMINA, cursor=second.cursor, limit=2)

    assert [*first.items, *second.items, *third.items] == created[::-1]
    assert third.cursor is None


async def test_a_full_last_page_has_no_cursor(store):
    there = group()
    await store.create(there, members(there, AMINA))

    assert (await store.of_user(AMINA, cursor=None, limit=1)).cursor is None
    assert (await store.of_user(KARIM, cursor=None, limit=1)).items == []


@pytest.mark.parametrize("cursor", ["", "%%%", "bm90LWFuLWlk", "é"])
async def test_a_cursor_of_somebody_elses_making_is_refused(store, cursor):
    with pytest.raises(InvalidInput):
        await store.of_user(AMINA, cursor=cursor, limit=1)


async def test_members_come_in_the_order_they_joined(store):
    there = group()
    await store.create(there, members(there, LINA))
    later = replace(member(there, AMINA), joined_at=START + timedelta(seconds=1))
    await store.put_member(later)

    assert [each.user_id for each in (await store.members([there.id]))[there.id]] == [LINA, AMINA]


async def test_memberships_of_any_number_are_told_at_once(store):
    here, there = group(), group()
    await store.create(here, members(here, AMINA, KARIM))
    await store.create(there, members(there, KARIM))
    nowhere = [(new_id(START), AMINA) for _ in range(2500)]

    asked = [(here.id, AMINA), (here.id, LINA), (there.id, AMINA), (there.id, KARIM), *nowhere]
    assert set(await store.memberships(asked)) == {(here.id, AMINA), (there.id, KARIM)}
    assert set(await store.memberships([])) == set()


async def test_members_of_any_number_of_conversations_are_told_at_once(store):
    there = group()
    await store.create(there, members(there, AMINA))
    asked = [new_id(START) for _ in range(2500)] + [there.id]

    assert await store.members(asked) == {there.id: members(there, AMINA)}


async def test_adding_a_member_who_is_there_changes_nothing(store):
    there = group()
    await store.create(there, members(there, AMINA, KARIM))
    newcomer = Member(there.id, AMINA, Role.MEMBER, START + timedelta(hours=1), muted=True)

    assert await store.put_member(newcomer) == member(there, AMINA, Role.OWNER)

    assert await store.member(there.id, AMINA) == member(there, AMINA, Role.OWNER)


async def test_a_group_never_exceeds_its_limit_however_many_add_at_once(store, other_node):
    there = group()
    await store.create(there, members(there, AMINA))
    newcomers = [member(there, UserId(f"guest-{n}")) for n in range(10)]

    answers = await asyncio.gather(
        *((store, other_node)[n % 2].put_member(each, limit=4) for n, each in enumerate(newcomers)),
        return_exceptions=True,
    )

    assert sum(isinstance(each, Member) for each in answers) == 3
    assert sum(isinstance(each, ConversationFull) for each in answers) == 7
    assert len((await store.members([there.id]))[there.id]) == 4


async def test_changing_a_role_and_muting_at_once_lose_nothing(store, other_node):
    there = group()
    await store.create(there, members(there, AMINA, KARIM))

    await asyncio.gather(
        store.change_member(there.id, KARIM, role=Role.ADMIN),
        other_node.change_member(there.id, KARIM, muted=True),
    )

    changed = await store.member(there.id, KARIM)
    assert changed == replace(member(there, KARIM), role=Role.ADMIN, muted=True)


async def test_changing_answers_with_the_member_or_with_none(store):
    there = group()
    await store.create(there, members(there, AMINA))

    assert await store.change_member(there.id, AMINA, muted=True) == replace(
        member(there, AMINA, Role.OWNER), muted=True
    )
    assert await store.change_member(there.id, KARIM, muted=True) is None
    assert await store.change_member(there.id, KARIM, role=Role.ADMIN) is None


async def test_the_last_owner_cannot_step_down_or_leave_others_behind(store):
    there = group()
    await store.create(there, members(there, AMINA, KARIM))

    with pytest.raises(LastOwner):
        await store.change_member(there.id, AMINA, role=Role.ADMIN)
    with pytest.raises(LastOwner):
        await store.remove_member(there.id, AMINA, then=[])

    assert await store.member(there.id, AMINA) == member(there, AMINA, Role.OWNER)


async def test_an_owner_may_go_when_there_is_another_or_nobody_at_all(store):
    there = group()
    await store.create(there, members(there, AMINA, KARIM))
    await store.change_member(there.id, KARIM, role=Role.OWNER)

    assert await store.remove_member(there.id, AMINA, then=[])
    assert await store.remove_member(there.id, KARIM, then=[])

    assert await store.members([there.id]) == {}


async def test_owners_who_leave_at_once_leave_one_behind(store, other_node):
    there = group()
    await store.create(there, members(there, AMINA, KARIM, LINA))
    await store.change_member(there.id, KARIM, role=Role.OWNER)

    answers = await asyncio.gather(
        store.remove_member(there.id, AMINA, then=[]),
        other_node.remove_member(there.id, KARIM, then=[]),
        return_exceptions=True,
    )

    assert answers.count(True) == 1
    assert sum(isinstance(each, LastOwner) for each in answers) == 1
    roles = [each.role for each in (await store.members([there.id]))[there.id]]
    assert roles.count(Role.OWNER) == 1


async def test_a_removal_writes_its_consequences_once(store, database):
    there = group()
    await store.create(there, members(there, AMINA, KARIM))
    entry = Entry(kind="member.removed", payload=b"{}")

    assert await store.remove_member(there.id, KARIM, then=[entry])
    assert not await store.remove_member(there.id, KARIM, then=[entry])

    assert await store.member(there.id, KARIM) is None
    async with database.reading() as connection:
        kinds = await connection.execute(sa.select(table_of(OutboxRow).c.kind))
        assert kinds.scalars().all() == ["member.removed"]


async def test_an_audience_is_everybody_who_has_not_muted(store):
    there, silent = group("Fête"), group("")
    await store.create(there, members(there, AMINA, KARIM, LINA, NOUR))
    await store.create(silent, members(silent, AMINA))
    await store.change_member(there.id, LINA, muted=True)
    await store.change_member(silent.id, AMINA, muted=True)

    assert await store.audiences([there.id, silent.id, new_id(START)]) == {
        there.id: Audience(there.id, "Fête", (AMINA, KARIM, NOUR)),
        silent.id: Audience(silent.id, "", ()),
    }
