import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.limits import TokenBucket

RATES = st.floats(min_value=0.01, max_value=1000)


def test_a_burst_goes_through_and_then_the_rate_holds():
    bucket = TokenBucket(rate=2, burst=3)

    assert [bucket.take(10.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(10.5) == 0
    assert bucket.take(10.5) == 0.5


def test_a_rest_fills_it_to_the_burst_and_no_further():
    bucket = TokenBucket(rate=2, burst=3)
    for _ in range(3):
        bucket.take(10.0)

    assert [bucket.take(1000.0) for _ in range(4)] == [0, 0, 0, 0.5]


def test_what_is_refused_costs_nothing():
    bucket = TokenBucket(rate=1, burst=1)
    bucket.take(10.0)
    for _ in range(100):
        assert bucket.take(10.0) == 1

    assert bucket.take(11.0) == 0


def test_a_cost_above_the_burst_waits_for_a_full_bucket_and_is_paid_afterwards():
    bucket = TokenBucket(rate=1, burst=2)
    assert bucket.take(10.0, cost=1) == 0

    assert bucket.take(10.0, cost=5) == 1
    assert bucket.take(11.0, cost=5) == 0
    assert bucket.take(11.0, cost=1) == 4


def test_a_clock_that_stands_still_or_goes_back_fills_nothing():
    bucket = TokenBucket(rate=1, burst=1)
    bucket.take(10.0)

    assert bucket.take(9.0) == 1
    assert bucket.take(10.5) == 0.5


def test_it_may_begin_empty():
    assert TokenBucket(rate=1, burst=5, tokens=0, at=10).take(10.0) == 1


@given(
    rate=RATES,
    burst=st.floats(min_value=1, max_value=100),
    steps=st.lists(st.floats(min_value=0, max_value=10), max_size=60),
)
def test_never_more_than_the_burst_and_the_rate_allow(rate, burst, steps):
    bucket = TokenBucket(rate=rate, burst=burst)
    now, taken = 1000.0, 0
    for step in steps:
        now += step
        taken += bucket.take(now) == 0

    assert taken <= burst + rate * (now - 1000.0) + 1e-6


@given(rate=RATES, burst=st.floats(min_value=1, max_value=100), cost=st.floats(0.1, 200))
def test_waiting_as_long_as_it_says_is_enough(rate, burst, cost):
    bucket = TokenBucket(rate=rate, burst=burst)
    now = 1000.0
    while (wait := bucket.take(now, cost=cost)) == 0:
        pass

    assert bucket.take(now + wait + 1e-6, cost=cost) == pytest.approx(0, abs=1e-9)
