"""A list that is counted by kinds gives what looking at each device would give."""

import random
from collections import Counter
from dataclasses import replace
from datetime import time, timedelta

import msgspec
import pytest

from kernel.identity import Scope
from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters.sql_census import SqlCensus
from notifications.adapters.sql_devices import DEVICES
from notifications.adapters.sql_preferences import PREFERENCES
from notifications.deciding.types import Consent, QuietHours, UserPreferences, Window
from notifications.sends.census import WITHIN, Counting
from notifications.types import Permission
from tests.support.factories_notifications import notice, registration, server
from tests.support.sending import SendingRoom, to_list

SERVER = server(Scope.PUSHES)
USERS = 40
ZONES = ("Africa/Algiers", "Europe/Paris", "America/Toronto")


@pytest.fixture
def room(database, clock, metrics):
    return SendingRoom(database, clock, metrics)


@pytest.fixture
async def crowd(room, clock):
    """Users who have said all kinds of things, with devices in every state."""
    dice = random.Random(20)
    users = [UserId(f"user-{each:02}") for each in range(USERS)]
    number = 0
    for user_id in users:
        phones = []
        for _ in range(dice.choice([0, 1, 1, 2])):
            number += 1
            told = registration(
                number,
                time_zone=dice.choice(ZONES),
                permission=dice.choice([Permission.GRANTED] * 3 + [Permission.DENIED]),
            )
            phones.append(await room.register(user_id, told, agrees=False))
        if dice.random() < 0.8:
            await say(room, user_id, said(dice, phones, clock))
    async with room.database.transaction() as connection:
        for change in (
            {"disabled_at": clock.now(), "disabled_reason": "gone"},
            {"confirmed_at": clock.now() - timedelta(days=61)},
        ):
            ids = dice.sample(range(number), 4)
            some = await all_ids(connection)
            chosen = [some[each] for each in ids]
            await connection.execute(
                DEVICES.update().where(DEVICES.c.id.in_(chosen)).values(**change)
            )
    await room.lists.replace(SERVER, "everybody", users)
    return users


async def all_ids(connection):
    return list(
        (await connection.execute(DEVICES.select().order_by(DEVICES.c.installation_id))).scalars()
    )


def said(dice, phones, clock):
    maybe = (True, False, None)
    choice, there, agreed = (dice.choice(maybe) for _ in range(3))
    # It is nine in the morning in Algiers.
    quiet = dice.choice([None, QuietHours((Window(time(8), time(dice.choice([10, 12]))),))])
    return UserPreferences(
        categories={} if choice is None else {"reminders": choice, "marketing": choice},
        devices=(
            {str(phones[0].id): {"reminders": there, "marketing": there}}
            if phones and there is not None
            else {}
        ),
        consents={} if agreed is None else {"marketing": Consent(agreed, "1", clock.now())},
        quiet=quiet,
    )


async def say(room, user_id, preferences):
    row = {
        "user_id": user_id,
        "choices": msgspec.json.encode(preferences).decode(),
        "changed_at": room.clock.now(),
    }
    async with room.database.transaction() as connection:
        await connection.execute(PREFERENCES.insert(), row)


@pytest.fixture
def count(room):
    store = SqlCensus(room.database)

    async def count(portion, **words):
        counter = Counting(
            store=store,
            lists=room.list_store,
            voices=room.voices,
            clock=room.clock,
            portion=portion,
        )
        return await counter.count("everybody", notice(**words))

    return count


@pytest.mark.parametrize(
    ("category", "urgency"),
    [("reminders", Urgency.TRANSACTIONAL), ("marketing", Urgency.MARKETING)],
)
@pytest.mark.parametrize("portion", [7, 20_000])
async def test_the_whole_list_is_counted_as_each_device_is_looked_at(
    room, crowd, count, clock, category, urgency, portion
):
    asked = replace(to_list("everybody"), category=category, urgency=urgency, expires_after=7200.0)
    looked_at = await room.rehearsal.rehearse(SERVER, asked)
    forecasts = [each for user in looked_at.users for each in user.devices]

    census = await count(
        portion, category=category, urgency=urgency, expires_at=clock.now() + timedelta(hours=2)
    )

    assert (census.users, census.whole) == (USERS, True)
    assert census.deviceless == sum(not user.devices for user in looked_at.users)
    assert census.would == sum(each.content is not None for each in forecasts)
    assert census.later == sum(each.until is not None for each in forecasts)
    assert census.why_not == Counter(each.reason for each in forecasts if each.content is None)
    assert len(census.why_not) > 3


async def test_who_has_muted_it_is_counted_apart(room, crowd):
    store = SqlCensus(room.database)

    portion = await store.portion(
        "everybody",
        after="",
        limit=1000,
        category="chat",
        consent="",
        stale_before=room.clock.now() - timedelta(days=270),
        muted=crowd[:10],
    )

    devices = await room.devices.of_users(crowd[:10])
    assert sum(each.devices for each in portion.alike if each.muted) == sum(
        map(len, devices.values())
    )


async def test_counting_ends_when_there_is_no_more_time_and_goes_on_there(
    room, crowd, clock, count
):
    store = SqlCensus(room.database)

    class Slow:
        async def portion(self, *given, **named):
            clock.move(seconds=WITHIN / 2)
            return await store.portion(*given, **named)

    counter = Counting(
        store=Slow(), lists=room.list_store, voices=room.voices, clock=clock, portion=4
    )
    said = {"expires_at": clock.now() + timedelta(hours=9)}
    at_once = await count(20_000, **said)

    census = await counter.count("everybody", notice(**said))
    parts = [census]
    while not census.whole:
        census = await counter.count("everybody", notice(**said), counted=census)
        parts.append(census)

    assert [each.users for each in parts] == [12, 24, 36, 40]
    assert census == at_once
