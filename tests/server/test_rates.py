"""How often one caller may ask, and how little it costs to know."""

import pytest

from kernel.errors import RateLimited
from server.rates import REMEMBERED, Rates, neighbourhood_of


@pytest.fixture
def rates(clock):
    return Rates(clock=clock, rate=1.0, burst=2.0)


def taken(rates, caller, times):
    """How many of so many requests were let through."""
    passed = 0
    for _ in range(times):
        try:
            rates.take(caller)
        except RateLimited:
            continue
        passed += 1
    return passed


def test_a_burst_passes_and_then_one_at_a_time(rates, clock):
    assert taken(rates, "amina", 5) == 2

    clock.move(seconds=1)

    assert taken(rates, "amina", 5) == 1


def test_checking_counts_nothing(rates):
    for _ in range(10):
        rates.check("amina")

    assert taken(rates, "amina", 5) == 2
    with pytest.raises(RateLimited):
        rates.check("amina")


def test_however_many_come_only_the_latest_are_remembered(rates):
    taken(rates, "first", 5)
    taken(rates, "second", 5)
    for number in range(REMEMBERED - 2):
        rates.take(str(number))
    assert taken(rates, "first", 1) == 0

    rates.take("one more")

    assert taken(rates, "first", 1) == 0, "it was heard of lately"
    assert taken(rates, "second", 5) == 2, "it was quiet for longest"


@pytest.mark.parametrize(
    ("address", "neighbourhood"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("not an address", "not an address"),
    ],
)
def test_a_network_of_ipv6_is_one_stranger(address, neighbourhood):
    assert neighbourhood_of(address) == neighbourhood
