"""Who is connected: found by user, however many they are, until they leave."""

import random
from contextlib import AsyncExitStack

import pytest

from kernel.adapters.database import Database
from kernel.identity import ANONYMOUS
from messaging.commands.connecting import ConnectingOptions
from messaging.connections.roster import CROWD
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, serving, talking


@pytest.mark.parametrize("user_id", [AMINA, ANONYMOUS])
@pytest.mark.parametrize("count", [1, 2, CROWD, CROWD + 3])
async def test_everybody_is_found_until_they_leave(sqlite_database: Database, user_id, count):
    async with serving(Node(sqlite_database)) as node, talking(node, KARIM):
        roster = node.hub.roster
        async with AsyncExitStack() as opened:
            for _ in range(count):
                await opened.enter_async_context(talking(node, user_id))
            there = roster.of_user(user_id)
            assert len(set(there)) == count
            assert roster.users == 2

            for left, connection in enumerate(random.Random(count).sample(there, count), start=1):
                connection.disconnect(3000)
                # Twice is no more than once.
                roster.leave(connection)
                assert set(roster.of_user(user_id)) == {each for each in there if each.is_open}
                assert len(roster.of_user(user_id)) == count - left

        assert set(roster.user_ids()) == {KARIM}


async def test_a_user_has_so_many_connections_and_no_more(sqlite_database: Database):
    options = ConnectingOptions(user_connection_limit=2)
    async with serving(Node(sqlite_database, connecting_options=options)) as node:
        async with talking(node, AMINA), talking(node, KARIM), talking(node) as refused:
            async with talking(node, AMINA):
                refused.protocol.connect(token=node.token(AMINA))
                await refused.flush()
                assert await refused.closed() == (3504, "connection limit")
            await node.until(lambda: len(node.hub.roster.of_user(AMINA)) == 1)
            async with talking(node, AMINA):
                pass
        async with AsyncExitStack() as opened:
            for _ in range(3):
                await opened.enter_async_context(talking(node, ANONYMOUS))


async def test_tokens_can_be_made_to_name_a_user(sqlite_database: Database):
    options = ConnectingOptions(disallow_anonymous_connection_tokens=True)
    node = Node(sqlite_database, connecting_options=options)
    async with serving(node), talking(node) as talker, talking(node, AMINA):
        talker.protocol.connect(token=node.token(""))
        await talker.flush()

        assert await talker.closed() == (3507, "permission denied")
