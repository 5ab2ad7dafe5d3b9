"""Admission: nobody is forgotten, nobody waits too long, and places are never lost."""

import asyncio

import pytest

from kernel.errors import Unavailable
from messaging.commands.gate import Gate, GateOptions
from messaging.refusals import Declined


async def through(gate: Gate, until: asyncio.Event, order: list[int], number: int) -> None:
    async with gate.admitted():
        order.append(number)
        await until.wait()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_finds_it_full_is_let_in_when_a_place_is_free_in_the_order_they_came():
    gate = Gate(GateOptions(admitted=2))
    until, order = asyncio.Event(), list[int]()
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(through(gate, until, order, number))
        await turns()
        assert order == [0, 1]
        until.set()

    assert order == [0, 1, 2, 3, 4, 5]


async def test_who_waits_in_vain_is_told_to_come_back_each_after_another_while():
    gate = Gate(GateOptions(admitted=1, wait_seconds=0.2))
    loop, until, waited = asyncio.get_running_loop(), asyncio.Event(), list[float]()

    async def wait() -> None:
        began = loop.time()
        with pytest.raises(Declined) as caught:
            await through(gate, until, [], 1)
        waited.append(loop.time() - began)
        assert caught.value.code == 111

    async with asyncio.TaskGroup() as group:
        group.create_task(through(gate, until, [], 0))
        await turns()
        await asyncio.gather(*(wait() for _ in range(8)))
        until.set()

    assert len({round(each, 3) for each in waited}) > 1


async def test_a_place_that_was_given_to_somebody_who_left_goes_to_the_next():
    gate = Gate(GateOptions(admitted=1))
    until, order = asyncio.Event(), list[int]()
    inside, leaving, staying = (
        asyncio.create_task(through(gate, until, order, number)) for number in range(3)
    )
    await turns()
    # The place is given away and its new owner cancelled within one turn.
    inside.cancel()
    await asyncio.wait([inside])
    leaving.cancel()
    await asyncio.wait([leaving])
    until.set()
    await staying

    assert order[-1] == 2
    async with gate.admitted():
        pass


async def test_what_takes_too_long_is_given_up_and_its_place_is_free():
    gate = Gate(GateOptions(admitted=1, wait_seconds=0.01, answer_seconds=0.02))
    with pytest.raises(Unavailable):
        await through(gate, asyncio.Event(), [], 0)

    async with gate.admitted():
        pass
