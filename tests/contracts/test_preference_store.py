"""What every preference store promises."""

import asyncio
from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from kernel.ids import UserId, new_id
from kernel.notices import Urgency
from notifications.adapters.sql_audit import SqlAudit
from notifications.audit.types import AuditQuery, Deed
from notifications.deciding.types import (
    Consent,
    ConsentRecord,
    QuietHours,
    Ramadan,
    UserPreferences,
    Window,
)
from notifications.preferences.ramadan import ESTIMATES
from notifications.pushes import PushState
from notifications.types import Route
from tests.support.factories_notifications import AMINA, KARIM, Room, planned, registration

DEED = Deed("user:amina", "preference.changed", "quiet_hours", AMINA)
NIGHT = QuietHours(
    (Window(time(22), time(8)),),
    weekend=(),
    ramadan=(Window(time(1, 30), time(10)),),
    also=("chat",),
)
LEASE = timedelta(seconds=60)


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def store(room):
    return room.preferences


async def deeds(room):
    return [
        each.deed for each in await SqlAudit(room.database).page(AuditQuery(), before=None, limit=9)
    ]


def record(clock, **changes):
    now = clock.now()
    entry = ConsentRecord(new_id(now), AMINA, "marketing", True, "v1", "app", "user", now)
    return replace(entry, **changes)


async def test_preferences_are_read_as_they_were_written(store, clock):
    said = UserPreferences(
        categories={"chat": False},
        devices={"7": {"reminders": True}},
        consents={"marketing": Consent(True, "v1", clock.now())},
        quiet=NIGHT,
    )

    stored = await store.change(AMINA, lambda _: said, deed=DEED, now=clock.now())

    assert stored == said
    assert await store.of_users([AMINA, KARIM]) == {AMINA: said}


async def test_two_changes_at_once_are_both_kept(store, clock):
    def choosing(category):
        return lambda before: replace(before, categories={**before.categories, category: False})

    await asyncio.gather(
        *(
            store.change(AMINA, choosing(f"c{number}"), deed=DEED, now=clock.now())
            for number in range(8)
        )
    )

    said = (await store.of_users([AMINA]))[AMINA]
    assert sorted(said.categories) == [f"c{number}" for number in range(8)]


async def test_a_change_and_its_deed_are_kept_together_or_not_at_all(store, room, clock):
    def impossible(before):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.change(AMINA, impossible, deed=DEED, now=clock.now())
    assert (await store.of_users([AMINA]), await deeds(room)) == ({}, [])

    await store.change(AMINA, lambda before: before, deed=DEED, now=clock.now())
    assert await deeds(room) == [DEED]


async def test_the_record_of_consent_only_grows(store, clock):
    given, withdrawn = record(clock), record(clock, given=False)
    for entry in (given, withdrawn):
        clock.move(seconds=1)
        said = Consent(entry.given, entry.text_version, entry.recorded_at)
        await store.record(
            entry,
            lambda before, said=said: replace(before, consents={"marketing": said}),
            deed=DEED,
        )

    assert {each.id for each in await store.consents(AMINA, limit=9)} == {given.id, withdrawn.id}
    assert await store.consents(KARIM, limit=9) == []
    assert not (await store.of_users([AMINA]))[AMINA].consents["marketing"].given


async def test_what_is_forgotten_is_gone(store, clock):
    await store.record(record(clock), lambda before: before, deed=DEED)

    await store.forget([AMINA])

    assert await store.of_users([AMINA]) == {}
    assert await store.consents(AMINA, limit=9) == []


async def test_an_operator_knows_better_than_the_calendar(store, clock):
    assert await store.ramadans() == list(ESTIMATES)
    announced = Ramadan(1448, date(2027, 2, 9), date(2027, 3, 9), announced=True)

    for _ in range(2):
        await store.put_ramadan(announced, deed=DEED, now=clock.now())

    known = {each.year: each for each in await store.ramadans()}
    assert known == {each.year: each for each in ESTIMATES} | {1448: announced}


async def test_what_an_operator_knew_is_forgotten_once(store, room, clock):
    announced = Ramadan(1448, date(2027, 2, 9), date(2027, 3, 9), announced=True)
    await store.put_ramadan(announced, deed=DEED, now=clock.now())
    before = len(await deeds(room))

    for _ in range(2):
        await store.forget_ramadan(1448, deed=DEED, now=clock.now())

    assert await store.ramadans() == list(ESTIMATES)
    assert len(await deeds(room)) == before + 1


async def claim(room, urgency=Urgency.TRANSACTIONAL):
    return await room.pushes.claim(Route.FCM, urgency, now=room.clock.now(), lease=LEASE, limit=100)


async def one_push(room, **changes):
    device = await room.register(AMINA, registration(), agrees=False)
    notification, push = planned(
        device,
        urgency=Urgency.TRANSACTIONAL,
        now=room.clock.now(),
        expires_at=room.clock.now() + timedelta(days=1),
    )
    push = replace(push, category="reminders", **changes)
    await room.pushes.plan([notification], [push])
    return device


async def test_what_a_user_says_after_a_push_was_planned_still_counts(store, room, clock):
    await one_push(room)
    off = UserPreferences(categories={"reminders": False})
    await store.change(AMINA, lambda _: off, deed=DEED, now=clock.now())

    taken = await claim(room)

    assert (len(taken.pushes), taken.suppressed) == (0, 1)
    assert await room.states() == {PushState.SUPPRESSED: 1}


async def test_a_push_that_meets_quiet_hours_waits_for_their_end_as_if_never_tried(
    store, room, clock
):
    await one_push(room)
    # It is nine in Algiers.
    quiet = QuietHours((Window(time(8), time(10)),))
    said = UserPreferences(quiet=quiet)
    await store.change(AMINA, lambda _: said, deed=DEED, now=clock.now())

    taken = await claim(room)
    assert (len(taken.pushes), taken.postponed) == (0, 1)
    assert await room.states() == {PushState.QUEUED: 1}
    clock.move(minutes=59)
    assert await claim(room) == replace(taken, postponed=0)
    clock.move(minutes=1)

    [(held, _)] = (await claim(room)).pushes
    assert (held.number, held.first_tried_at) == (1, clock.now())


async def test_a_push_whose_user_chose_the_moment_does_not_wait_for_the_end_of_quiet_hours(
    store, room, clock
):
    await one_push(room, exact=True)
    said = UserPreferences(quiet=QuietHours((Window(time(8), time(10)),)))
    await store.change(AMINA, lambda _: said, deed=DEED, now=clock.now())

    assert len((await claim(room)).pushes) == 1


async def test_who_shortens_quiet_hours_is_told_at_once(store, room, clock):
    await one_push(room, due_at=clock.now() + timedelta(hours=5))
    assert (await claim(room)).pushes == []

    await store.change(AMINA, lambda before: before, deed=DEED, now=clock.now())

    assert len((await claim(room)).pushes) == 1


async def test_somebody_elses_preferences_change_nothing(store, room, clock):
    await one_push(room)
    off = UserPreferences(categories={"reminders": False})

    await store.change(UserId("karim"), lambda _: off, deed=DEED, now=clock.now())

    assert len((await claim(room)).pushes) == 1


async def test_in_ramadan_a_claimed_push_waits_by_the_operators_dates(store, room, clock):
    await one_push(room)
    # It is nine in Algiers, on the eleventh day of the month.
    morning = (Window(time(8), time(10)),)
    said = UserPreferences(quiet=QuietHours((), ramadan=morning))
    await store.change(AMINA, lambda _: said, deed=DEED, now=clock.now())
    assert (await claim(room)).postponed == 1
    over = Ramadan(1447, date(2026, 1, 29), date(2026, 2, 26), announced=True)

    await store.put_ramadan(over, deed=DEED, now=clock.now())
    await store.change(AMINA, lambda before: before, deed=DEED, now=clock.now())

    assert len((await claim(room)).pushes) == 1
