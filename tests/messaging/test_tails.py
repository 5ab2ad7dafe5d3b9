"""How long what went out is given again without reading the log."""

import pytest

from kernel.bus import Publication, StreamPosition
from messaging.connections.departures import Departures
from messaging.delivery.live import READ_SECONDS, LiveChannel
from messaging.types import Retention
from tests.support.clock import ManualClock

EPOCH = "e"


def publication(offset: int) -> Publication:
    return Publication("news:1", b"%d" % offset, StreamPosition(offset, EPOCH))


def followed(clock: ManualClock, kept: Retention | None, *, top: int = 0) -> LiveChannel:
    live = LiveChannel("news:1", Departures(), kept=kept, now=clock.monotonic)
    live.begin(StreamPosition(top, EPOCH))
    return live


async def test_what_the_log_keeps_no_longer_is_not_given_from_the_tail(clock):
    live = followed(clock, Retention(10, 60.0))
    live.hear(publication(1))
    clock.move(seconds=40)
    live.hear(publication(2))
    clock.move(seconds=40)
    assert live.tail_since(0) == [publication(1), publication(2)]

    clock.move(seconds=21)
    assert live.tail_since(0) is None
    assert live.tail_since(2) == []

    live.hear(publication(3))
    assert live.tail_since(2) == [publication(3)]
    assert live.tail_since(1) is None


async def test_what_a_log_keeps_for_ever_is_given_for_ever(clock):
    live = followed(clock, None)
    live.hear(publication(1))

    clock.move(days=365)

    assert live.tail_since(0) == [publication(1)]


@pytest.mark.parametrize("seconds", [1.0, 3600.0])
async def test_what_was_read_is_given_for_moments_since_nobody_knows_its_age(clock, seconds):
    live = followed(clock, Retention(10, seconds), top=2)
    live.deepen([publication(1), publication(2)])
    assert live.tail_since(0) == [publication(1), publication(2)]

    clock.move(seconds=min(seconds, READ_SECONDS))
    assert live.tail_since(0) is None
