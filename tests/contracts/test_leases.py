"""What leases promise, on SQLite and PostgreSQL alike."""

import asyncio
from datetime import timedelta

import pytest

from kernel.adapters.sql_leases import SqlLeases

LENGTH = timedelta(seconds=30)


@pytest.fixture
def leases(database):
    return SqlLeases(database)


@pytest.fixture
def claim(leases, clock):
    async def claim(holder="a", name="planner"):
        return await leases.claim(name, holder=holder, now=clock.now(), length=LENGTH)

    return claim


async def test_a_free_lease_is_given_for_its_length(claim, clock):
    lease = await claim()

    assert (lease.name, lease.holder) == ("planner", "a")
    assert lease.expires_at == clock.now() + LENGTH


async def test_nobody_else_gets_it_while_it_is_held(claim, clock):
    await claim("a")
    clock.move(seconds=29.9)

    assert await claim("b") is None


async def test_different_names_are_different_leases(claim):
    assert await claim("a", "one")
    assert await claim("b", "two")


async def test_a_lease_that_ended_goes_to_who_comes_first_with_a_higher_fence(claim, clock):
    old = await claim("a")
    clock.move(seconds=30)

    new = await claim("b")

    assert new.fence > old.fence


async def test_a_holder_that_starts_again_gets_its_own_lease_anew(claim, clock):
    before = await claim("a")
    clock.move(seconds=10)

    after = await claim("a")

    assert after.fence > before.fence
    assert after.expires_at == clock.now() + LENGTH


async def test_renewing_keeps_the_fence_and_keeps_others_out(leases, claim, clock):
    lease = await claim("a")
    clock.move(seconds=20)

    longer = await leases.renew(lease, now=clock.now(), length=LENGTH)
    clock.move(seconds=20)

    assert longer.fence == lease.fence
    assert await claim("b") is None


async def test_a_late_renewal_counts_if_nobody_took_over(leases, claim, clock):
    lease = await claim("a")
    clock.move(hours=1)

    assert await leases.renew(lease, now=clock.now(), length=LENGTH)


async def test_a_lost_lease_can_be_neither_renewed_nor_released(leases, claim, clock):
    lost = await claim("a")
    clock.move(seconds=30)
    await claim("b")

    assert await leases.renew(lost, now=clock.now(), length=LENGTH) is None
    assert not await leases.release(lost)
    assert await claim("c") is None


async def test_an_earlier_life_of_the_same_holder_has_lost_it(leases, claim, clock):
    earlier = await claim("a")
    await claim("a")

    assert await leases.renew(earlier, now=clock.now(), length=LENGTH) is None


async def test_a_released_lease_is_free_at_once_and_its_fence_still_rises(leases, claim):
    lease = await claim("a")

    assert await leases.release(lease)

    following = await claim("b")
    assert following.fence > lease.fence
    assert not await leases.release(lease)


async def test_of_all_who_claim_at_once_one_gets_it(claim):
    given = await asyncio.gather(*(claim(str(number)) for number in range(20)))

    assert sum(lease is not None for lease in given) == 1
