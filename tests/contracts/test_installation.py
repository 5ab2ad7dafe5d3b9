"""One life of a database has one name."""

import asyncio

from kernel.adapters.installation import epoch_of


async def test_the_epoch_is_made_once_and_stays(database, clock):
    first = await epoch_of(database, clock)
    clock.move(days=1)

    assert len(first) == 8
    assert await epoch_of(database, clock) == first


async def test_nodes_that_start_together_agree(database, clock):
    epochs = await asyncio.gather(*(epoch_of(database, clock) for _ in range(5)))

    assert len(set(epochs)) == 1
