"""Large campaigns begin beside the quarters of an hour."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from notifications.calm import SPREAD, calm_from
from notifications.pushes import PushState
from tests.support.advertising import advertised
from tests.support.factories_notifications import Room
from tests.support.providers import FakeProvider

TEN = datetime(2026, 11, 27, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "calm"),
    [
        (0, 2),
        (1.99, 2),
        (2, 2),
        (7.5, 7.5),
        (13, 13),
        (13.01, 17),
        (15, 17),
        (31, 32),
        (44, 47),
        (59, 62),
    ],
)
def test_it_is_calm_two_minutes_away_from_a_quarter(minutes: float, calm: float):
    at = TEN + timedelta(minutes=minutes)

    assert calm_from(at, UUID(int=SPREAD)) == TEN + timedelta(minutes=calm)


def test_campaigns_that_waited_begin_each_at_a_moment_of_its_own():
    found = {calm_from(TEN, UUID(int=number)) for number in range(1000)}

    first = TEN + timedelta(minutes=2)
    assert found == {first + timedelta(seconds=each) for each in range(SPREAD)}


async def test_all_but_the_first_of_a_campaign_wait_for_a_calm_moment(
    database, clock, metrics, monkeypatch
):
    monkeypatch.setattr("notifications.campaigns.CHUNK", 2)
    room, provider = Room(database, clock, metrics), FakeProvider()
    assert clock.now().minute == 0
    await room.phones(5)
    await advertised(room, beside_quarters=True)

    await room.dispatcher(provider).step()
    assert await room.states() == {PushState.ACCEPTED: 2, PushState.QUEUED: 3}
    clock.move(seconds=120 + SPREAD)
    await room.dispatcher(provider).step()
    assert await room.states() == {PushState.ACCEPTED: 5}
