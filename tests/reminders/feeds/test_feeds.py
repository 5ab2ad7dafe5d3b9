"""Issuing, reading and revoking calendar feeds; on each database."""

import hashlib
from dataclasses import replace
from datetime import date

import icalendar
import pytest
import sqlalchemy as sa

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from reminders.errors import EventNotFound, NotInEvent
from reminders.feeds import feeds as limits
from reminders.feeds.errors import FeedNotFound, TooManyFeeds
from reminders.feeds.types import Shown, Whose
from reminders.types import OnDay, Role
from tests.support.factories_reminders import AMINA, BILAL, CELIA, person, server, user
from tests.support.weddings import put_person


async def a_wedding(room, *, day=date(2026, 6, 20), title="Mariage"):
    sheet = await room.events.create(
        user(AMINA), title=title, zone="Africa/Algiers", day=day, at=None
    )
    return sheet.event.id


async def issued(room, event_id=None, who=user(AMINA), **more):  # noqa: B008
    return await room.feeds.issue(
        who, event_id=event_id, shown=Shown.EVENTS, whose=Whose.ALL, **more
    )


async def titles(room, secret):
    text = await (await room.feeds.read(secret)).write()
    return [str(each["SUMMARY"]) for each in icalendar.Calendar.from_ical(text).walk("VEVENT")]


async def version(room, secret):
    return (await room.feeds.read(secret)).version


async def test_a_feed_says_what_its_user_may_see_of_an_event(anywhere):
    event_id = await a_wedding(anywhere)
    await a_wedding(anywhere, title="Fiançailles")
    await anywhere.tasks.create(user(AMINA), event_id, title="Salle", due=OnDay(date(2026, 5, 1)))

    _, secret = await issued(anywhere, event_id)

    assert await titles(anywhere, secret) == ["Mariage", "Salle"]


async def test_a_feed_of_all_events_has_those_that_its_user_is_in(anywhere):
    first = await a_wedding(anywhere)
    await a_wedding(anywhere, title="Fiançailles", day=date(2026, 3, 20))
    await anywhere.events.put_member(user(AMINA), first, user_id=BILAL, role=Role.GUEST)

    (_, mine), (_, his) = await issued(anywhere), await issued(anywhere, who=user(BILAL))

    assert await titles(anywhere, mine) == ["Mariage", "Fiançailles"]
    assert await titles(anywhere, his) == ["Mariage"]


async def test_only_a_hash_of_the_secret_is_kept(anywhere, database):
    _, secret = await issued(anywhere)

    async with database.reading() as connection:
        (row,) = await connection.execute(sa.text("SELECT * FROM calendar_feeds"))

    assert bytes(row.secret_hash) == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(tuple(row))


async def test_another_address_for_the_same_event_ends_the_first(anywhere):
    event_id = await a_wedding(anywhere)
    (_, old), (_, other) = await issued(anywhere, event_id), await issued(anywhere)

    feed, new = await issued(anywhere, event_id)

    with pytest.raises(FeedNotFound):
        await anywhere.feeds.read(old)
    assert await titles(anywhere, new) == await titles(anywhere, other)
    listed = await anywhere.feeds.of(user(AMINA))
    assert [each.event_id for each in listed if each.id == feed.id] == [event_id]
    assert len(listed) == 2


async def test_a_revoked_address_leads_nowhere_at_once(anywhere):
    feed, secret = await issued(anywhere)

    await anywhere.feeds.revoke(user(AMINA), feed.id)

    with pytest.raises(FeedNotFound):
        await anywhere.feeds.read(secret)
    with pytest.raises(FeedNotFound):
        await anywhere.feeds.revoke(user(AMINA), feed.id)


async def test_who_leaves_an_event_does_not_read_on(anywhere):
    event_id = await a_wedding(anywhere)
    await anywhere.events.put_member(user(AMINA), event_id, user_id=BILAL, role=Role.GUEST)
    (_, of_one), (_, of_all) = [
        await issued(anywhere, each, who=user(BILAL)) for each in (event_id, None)
    ]

    await anywhere.events.remove_member(user(AMINA), event_id, user_id=BILAL)

    with pytest.raises(FeedNotFound):
        await anywhere.feeds.read(of_one)
    assert await titles(anywhere, of_all) == []


async def test_the_version_is_another_whenever_the_text_could_be(anywhere):
    event_id = await a_wedding(anywhere)
    amina, due = user(AMINA), OnDay(date(2026, 5, 1))
    task = await anywhere.tasks.create(amina, event_id, title="Salle", due=due)
    there = (amina, event_id, task.id)
    _, secret = await issued(anywhere, event_id)
    seen = [await version(anywhere, secret)]

    for change in (
        lambda: anywhere.events.rename(amina, event_id, title="عرس"),
        lambda: anywhere.tasks.update(*there, title="القاعة", due=due, assignee_id=None),
        lambda: anywhere.tasks.complete(*there),
        lambda: anywhere.moving.move(amina, event_id, day=date(2026, 7, 1), at=None),
        lambda: anywhere.parts.put(amina, event_id, code="henna", days=-1),
        lambda: anywhere.tasks.delete(*there),
        lambda: put_person(anywhere.calendar, person(AMINA)),
        lambda: put_person(anywhere.calendar, replace(person(AMINA), hijri=True)),
        lambda: anywhere.events.put_member(amina, event_id, user_id=BILAL, role=Role.GUEST),
        lambda: anywhere.events.cancel(amina, event_id),
    ):
        await change()
        seen.append(await version(anywhere, secret))

    assert len(set(seen)) == len(seen)


async def test_the_version_stays_while_nothing_changes(anywhere):
    event_id = await a_wedding(anywhere)
    _, secret = await issued(anywhere, event_id)
    before = await version(anywhere, secret)

    # Another event, a change that is none, and a plan.
    await a_wedding(anywhere, title="Fiançailles")
    await anywhere.moving.move(user(AMINA), event_id, day=date(2026, 6, 20), at=None)
    await anywhere.planner.step()

    assert await version(anywhere, secret) == before


async def test_a_user_has_so_many_feeds(room, monkeypatch):
    monkeypatch.setattr(limits, "FEEDS", 1)
    event_id = await a_wedding(room)
    await issued(room, event_id)

    with pytest.raises(TooManyFeeds):
        await issued(room)
    await issued(room, event_id)


@pytest.mark.parametrize(
    ("who", "named", "refusal"),
    [
        (user(AMINA), None, None),
        (user(BILAL), None, None),
        (user(CELIA), None, EventNotFound),
        # A user acts for nobody else, whoever is named.
        (user(CELIA), AMINA, EventNotFound),
        (server(), BILAL, None),
        (server(), CELIA, NotInEvent),
        (server(), None, InvalidInput),
        (server(Scope.PUSHES), BILAL, Denied),
        (Principal(), BILAL, Denied),
    ],
)
async def test_who_may_make_a_feed_of_an_event(room, who, named, refusal):
    event_id = await a_wedding(room)
    await room.events.put_member(user(AMINA), event_id, user_id=BILAL, role=Role.GUEST)

    if refusal is None:
        feed, _ = await issued(room, event_id, who=who, user_id=named)
        assert feed.user_id == (who.user_id or named)
    else:
        with pytest.raises(refusal):
            await issued(room, event_id, who=who, user_id=named)


@pytest.mark.parametrize(
    ("who", "named", "refusal"),
    [
        (user(AMINA), None, None),
        (user(BILAL), None, FeedNotFound),
        (user(BILAL), AMINA, FeedNotFound),
        (server(), AMINA, None),
        (server(), BILAL, FeedNotFound),
        (server(Scope.PUSHES), AMINA, Denied),
    ],
)
async def test_who_may_revoke_a_feed(room, who, named, refusal):
    feed, secret = await issued(room)

    if refusal is None:
        await room.feeds.revoke(who, feed.id, user_id=named)
        assert await room.feeds.of(user(AMINA)) == []
    else:
        with pytest.raises(refusal):
            await room.feeds.revoke(who, feed.id, user_id=named)
        assert await titles(room, secret) == []


async def test_nobody_lists_what_is_anothers(room):
    await issued(room)

    assert await room.feeds.of(user(BILAL), user_id=AMINA) == []
    with pytest.raises(Denied):
        await room.feeds.of(server(Scope.PUSHES), user_id=AMINA)
