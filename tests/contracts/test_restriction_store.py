"""What the store of restrictions promises, on both databases."""

import asyncio
from datetime import timedelta

import pytest

from kernel.errors import InvalidInput
from messaging.adapters.sql_restrictions import SqlRestrictions
from messaging.standing.restrictions import Restriction, RestrictionKind
from tests.support.clock import START
from tests.support.factories_messaging import AMINA, KARIM, LINA

HOUR = timedelta(hours=1)
USER, TOKEN, TOKENS = RestrictionKind


@pytest.fixture
def store(database):
    return SqlRestrictions(database)


def block(subject: str = AMINA, **more: object) -> Restriction:
    return Restriction(USER, subject, START, **more)


async def changes(store, after: int = 0) -> list[Restriction]:
    return [each.restriction for each in await store.changes(after=after, limit=100)]


async def test_what_is_imposed_stands_until_it_ends(store):
    given = block(ends_at=START + HOUR, reason="spam في المجموعة")
    await store.impose(given)

    assert await store.standing(USER, AMINA, now=START) == given
    assert await store.standing(USER, AMINA, now=START + HOUR) is None
    assert await store.standing(USER, KARIM, now=START) is None
    assert await store.standing(TOKEN, AMINA, now=START) is None


async def test_the_latest_of_the_same_kind_takes_the_place_of_the_others(store):
    await store.impose(block(ends_at=START + HOUR))
    await store.impose(block(reason="for ever"))

    assert await store.standing(USER, AMINA, now=START + 9 * HOUR) == block(reason="for ever")
    assert await changes(store) == [block(reason="for ever")]


async def test_tokens_of_different_channels_are_restricted_each_by_itself(store):
    everywhere = Restriction(TOKENS, AMINA, START, issued_before=START)
    here = Restriction(TOKENS, AMINA, START, channel="news", issued_before=START - HOUR)
    await store.impose(everywhere)
    await store.impose(here)

    assert await store.standing(TOKENS, AMINA, now=START) == everywhere
    assert await store.standing(TOKENS, AMINA, channel="news", now=START) == here


async def test_what_is_lifted_stands_no_longer_and_is_told_so(store):
    await store.impose(block())
    [(revision, _)] = await store.changes(after=0, limit=10)

    assert await store.lift(USER, AMINA, now=START + HOUR)
    assert not await store.lift(USER, AMINA, now=START + HOUR)
    assert not await store.lift(USER, KARIM, now=START + HOUR)

    assert await store.standing(USER, AMINA, now=START + HOUR) is None
    [lifted] = await changes(store, after=revision)
    assert lifted.ended(START + HOUR)


async def test_changes_are_told_in_order_and_only_the_new_ones(store):
    for user_id in (AMINA, KARIM, LINA):
        await store.impose(block(user_id))
    first = await store.changes(after=0, limit=2)

    assert [each.restriction.subject for each in first] == [AMINA, KARIM]
    rest = await store.changes(after=first[-1].revision, limit=2)
    assert [each.restriction.subject for each in rest] == [LINA]
    assert await store.changes(after=rest[-1].revision, limit=2) == []


async def test_whoever_reads_on_misses_nothing_that_was_imposed_meanwhile(store):
    """A revision that is committed after a later one would be missed for ever."""
    users = [f"user{number:03}" for number in range(60)]
    seen: list[str] = []

    async def read_on() -> None:
        after = 0
        while len(seen) < len(users):
            for revision, restriction in await store.changes(after=after, limit=7):
                after = revision
                seen.append(restriction.subject)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(read_on())
        for user_id in users:
            group.create_task(store.impose(block(user_id)))

    assert sorted(seen) == users


async def test_what_stands_is_listed_in_pages(store):
    names = sorted([AMINA, KARIM, LINA])
    for name in names:
        await store.impose(block(name))
    await store.impose(block("ended", ends_at=START))
    await store.impose(Restriction(TOKEN, "jti", START))

    first = await store.all(USER, cursor=None, limit=2, now=START)
    rest = await store.all(USER, cursor=first.cursor, limit=2, now=START)

    assert [each.subject for each in (*first.items, *rest.items)] == names
    assert rest.cursor is None
    with pytest.raises(InvalidInput):
        await store.all(USER, cursor="nonsense", limit=2, now=START)


async def test_what_ended_long_ago_is_removed_in_pieces(store):
    for number in range(5):
        await store.impose(block(f"user{number}", ends_at=START + number * HOUR))
    await store.impose(block(AMINA))

    assert await store.prune(ended_before=START + 3 * HOUR, limit=2) == 2
    assert await store.prune(ended_before=START + 3 * HOUR, limit=2) == 1
    assert await store.prune(ended_before=START + 3 * HOUR, limit=2) == 0

    assert [each.subject for each in await changes(store)] == ["user3", "user4", AMINA]


async def test_text_that_databases_choke_on_is_neither_found_nor_a_fault(store):
    await store.impose(block(reason="a\0b\ud800"))

    assert (await store.standing(USER, AMINA, now=START)).reason == "ab?"
    assert await store.standing(USER, "a\0b", now=START) is None
    assert not await store.lift(TOKEN, "\0", channel="\0", now=START)
