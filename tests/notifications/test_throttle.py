"""How fast a credential is fed."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.notices import Urgency
from notifications.throttle import RESERVE, Throttle


def taken(throttle, *, now, urgency=Urgency.INTERACTIVE):
    return throttle.allow(10**6, urgency=urgency, now=now)


def test_no_more_than_a_tenth_of_a_second_goes_at_once_and_then_the_rate():
    throttle = Throttle(per_second=1024)

    assert taken(throttle, now=0.0) == 102
    assert taken(throttle, now=0.0) == 0
    assert sum(taken(throttle, now=tick / 64) for tick in range(1, 65)) == 1024


def test_marketing_leaves_a_reserve_to_everything_else():
    throttle = Throttle(per_second=1000)

    assert taken(throttle, now=0.0, urgency=Urgency.MARKETING) == 100 * (1 - RESERVE)
    assert taken(throttle, now=0.0, urgency=Urgency.MARKETING) == 0
    assert taken(throttle, now=0.0) == 100 * RESERVE


def test_marketing_gets_through_at_the_slowest_rates():
    throttle = Throttle(per_second=0.5)

    assert taken(throttle, now=0.0, urgency=Urgency.MARKETING) == 8


def test_what_was_not_used_comes_back():
    throttle = Throttle(per_second=1000)
    throttle.allow(100, urgency=Urgency.INTERACTIVE, now=0.0)

    throttle.give_back(60)

    assert taken(throttle, now=0.0) == 60


def test_a_complaint_pauses_halves_the_rate_and_heals_slowly():
    throttle = Throttle(per_second=1000)
    throttle.complained(retry_after=30.0, now=0.0)

    assert taken(throttle, now=29.9) == 0
    assert taken(throttle, now=30.0) > 0
    assert throttle.rate == 1000 * (0.5 + 30 * 0.005)
    taken(throttle, now=200.0)
    assert throttle.rate == 1000


def test_complaints_about_what_was_under_way_count_once():
    throttle = Throttle(per_second=1000)

    for _ in range(50):
        throttle.complained(retry_after=60.0, now=1.0)

    assert throttle.rate == 500


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.sampled_from(Urgency))))
def test_never_more_than_the_full_rate_passes(steps):
    throttle, now, passed = Throttle(per_second=200), 0.0, 0
    for wait, complained, urgency in steps:
        now += wait
        if complained:
            throttle.complained(retry_after=wait, now=now)
        passed += taken(throttle, now=now, urgency=urgency)

    assert passed <= 20 + now * 200 + 1e-6
