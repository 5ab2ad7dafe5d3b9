"""Limits hold however many ask at once."""

import asyncio
import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.ids import new_id
from reminders.acting import Tap
from reminders.action import ActionGrant, ActionKind
from reminders.adapters.guest_columns import GUESTS as GUEST_ROWS
from reminders.adapters.guest_columns import columns_of_guest
from reminders.adapters.sql_feeds import SqlFeedStore
from reminders.days import MAIN
from reminders.errors import EventFull, SnoozedTooOften
from reminders.feeds.types import Feed, Shown, Whose
from reminders.guest import Guest, guest_id
from reminders.guests.guests import GUESTS
from reminders.identity import collapse_key
from reminders.snoozing import WAITING, Later
from reminders.types import Snooze, TaskDetails
from tests.support.factories_reminders import AMINA, HOUR, SIGNER, event, member, task, user

AT_ONCE = 12
LEFT = 3


async def counted(*asked):
    """How many of those who ask at once get it, and what the others are told."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    return Counter(type(each) if isinstance(each, Exception) else "granted" for each in answers)


async def weddings(room, number):
    """Events of Amina's with a task in each."""
    made = []
    for _ in range(number):
        here = event()
        await room.calendar.create(here, member(here))
        made.append(task(here))
        await room.calendar.change(
            here.id, lambda _, one=made[-1]: [one], now=room.clock.now(), task_id=made[-1].id
        )
    return made


async def snoozed(room, number):
    """Tasks of one event, of each of which Amina asked to be told again in an hour."""
    here, at = event(), room.clock.now() + HOUR
    await room.calendar.create(here, member(here))
    tasks = [
        replace(task(here), details=TaskDetails(snoozes=(Snooze(uuid.uuid4(), AMINA, at),)))
        for _ in range(number)
    ]
    await room.calendar.change(here.id, lambda _: tasks, now=room.clock.now())
    return tasks


async def with_guests(room, number):
    """An event of Amina's to which so many are invited."""
    here, now = event(), room.clock.now()
    await room.calendar.create(here, member(here))
    users = [f"guest-{each}" for each in range(number)]
    guests = [Guest(guest_id(here.id, each, MAIN), here.id, each, MAIN, now) for each in users]
    async with room.database.transaction() as connection:
        await connection.execute(GUEST_ROWS.insert(), [columns_of_guest(each) for each in guests])
    return here.id


async def test_a_part_has_no_more_guests_than_it_may_however_many_are_invited_at_once(anywhere):
    room, here = anywhere, await with_guests(anywhere, GUESTS - LEFT)

    answers = await counted(
        *(
            room.guests.invite(user(AMINA), here, user_id=f"late-{number}", part=MAIN)
            for number in range(AT_ONCE)
        )
    )

    assert answers == {"granted": LEFT, EventFull: AT_ONCE - LEFT}
    _, counts = await room.guests.of(user(AMINA), here, part=MAIN, cursor=None, limit=1)
    assert sum(counts.values()) == GUESTS


async def test_the_last_guest_may_be_invited_twice_at_once(anywhere):
    room, here = anywhere, await with_guests(anywhere, GUESTS - 1)

    answers = await counted(
        *(room.guests.invite(user(AMINA), here, user_id="last", part=MAIN) for _ in range(4))
    )

    assert answers == {"granted": 4}


@pytest.mark.parametrize("how", ["asked", "tapped"])
async def test_no_more_of_a_users_tasks_wait_to_be_told_again_than_may(anywhere, how):
    """Also when no plan knows of them yet, and when they are in events of their own."""
    room = anywhere
    await snoozed(room, WAITING - LEFT)
    tasks = await weddings(room, AT_ONCE)

    def snooze(one):
        if how == "asked":
            return room.snoozing.snooze(
                user(AMINA), one.event_id, one.id, action_id=uuid.uuid4(), choice=Later.TOMORROW
            )
        now, firing = room.clock.now(), uuid.uuid4().bytes
        grant = ActionGrant(
            firing, AMINA, one.event_id, one.id, now.date(), now, now + timedelta(days=7)
        )
        kind = ActionKind.SNOOZE_TOMORROW
        return room.acting.act(Tap(collapse_key(firing), SIGNER.token(grant), kind, uuid.uuid4()))

    answers = await counted(*map(snooze, tasks))

    assert answers == {"granted": LEFT, SnoozedTooOften: AT_ONCE - LEFT}


async def test_a_user_has_no_more_feeds_than_one_may_from_the_first_on(database, clock):
    store, now = SqlFeedStore(database), clock.now()

    async def issue(number):
        feed = Feed(new_id(now), AMINA, uuid.uuid4(), Shown.EVENTS, Whose.ALL, now)
        return await store.issue(feed, secret_hash=bytes([number]) * 32, limit=LEFT)

    kept = await asyncio.gather(*map(issue, range(AT_ONCE)))

    assert Counter(kept) == {True: LEFT, False: AT_ONCE - LEFT}
    assert len(await store.of_user(AMINA)) == LEFT
