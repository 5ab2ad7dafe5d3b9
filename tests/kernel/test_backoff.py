from hypothesis import given
from hypothesis import strategies as st

from kernel.backoff import Backoff

SECONDS = st.floats(min_value=0.001, max_value=1000)


def test_the_ceiling_doubles_up_to_the_cap():
    backoff = Backoff(first=1, cap=10)

    assert [backoff.ceiling(failures) for failures in range(1, 7)] == [1, 2, 4, 8, 10, 10]


def test_a_floor_above_the_cap_is_the_delay():
    assert Backoff(first=1, cap=2, floor=5).delay(3) == 5


@given(first=SECONDS, cap=SECONDS, floor=SECONDS, failures=st.integers(1, 10**9))
def test_a_delay_lies_between_floor_and_ceiling_however_often_it_failed(
    first, cap, floor, failures
):
    backoff = Backoff(first=first, cap=cap, floor=floor)

    assert floor <= backoff.delay(failures) <= max(floor, cap)
    assert backoff.ceiling(failures) <= backoff.ceiling(failures + 1)


def test_delays_differ_so_that_a_herd_does_not_come_back_together():
    backoff = Backoff(first=1, cap=60)

    assert len({backoff.delay(5) for _ in range(20)}) > 1
