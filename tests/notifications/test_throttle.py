"""How fast a credential is fed."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.notices import Urgency
from notifications.throttle import IDLE, PAUSE, RESERVE, Throttle


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


def test_a_new_credential_is_fed_slowly_at_first():
    throttle = Throttle(per_second=1000, ramp=60.0)

    passed = [sum(taken(throttle, now=s + tick / 20) for tick in range(20)) for s in range(61)]

    assert passed[0] < 65
    assert abs(passed[30] - 500) < 25
    assert abs(passed[60] - 1000) < 25
    assert sum(passed) < 1000 * 33


def test_a_credential_that_rested_is_fed_slowly_again():
    throttle = Throttle(per_second=1000, ramp=60.0)
    for second in range(100):
        taken(throttle, now=float(second))
    assert taken(throttle, now=99 + IDLE) == 100

    assert taken(throttle, now=100 + 2 * IDLE) == 10


def test_a_slow_credential_needs_no_ramp():
    throttle = Throttle(per_second=10, ramp=60.0)

    assert [taken(throttle, now=now) for now in (0.0, 1.0, 2.0)] == [10, 10, 10]


def test_who_asked_in_vain_is_told_when_to_ask_again():
    throttle = Throttle(per_second=1000)
    taken(throttle, now=0.0)
    assert throttle.again_in(now=0.0) == PAUSE

    throttle.complained(retry_after=30.0, now=0.0)

    assert throttle.again_in(now=10.0) == 20.0


def test_a_share_keeps_what_complaints_left():
    throttle = Throttle(per_second=1000)
    throttle.complained(retry_after=0.0, now=0.0)

    throttle.share(200)

    assert throttle.rate == 100
