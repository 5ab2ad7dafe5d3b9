"""The client of tools and replays: it comes back, asks again, and leaves no gap."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from kernel.adapters.database import Database
from kernel.backoff import Backoff
from kernel.clock import SystemClock
from messaging.facts import member_removed
from messaging.protocol import requests, results
from messaging.protocol.codec import Codec
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.values import Publication
from messaging.recovery.recovery import RecoveryOptions
from server.live_channels import Dismissed
from server.live_client import LiveClient
from server.live_line import Patience, Refused
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, channel_of, serving

QUICK = Patience(backoff=Backoff(first=0.02, cap=0.1), answer=2.0, ping=2.0)


@asynccontextmanager
async def living(
    node: Node, heard: list[int], codec: Codec = JSON, dismissed: Dismissed | None = None
) -> AsyncIterator[LiveClient]:
    def hear(_channel: str, publication: Publication) -> None:
        heard.append(publication.offset)

    client = LiveClient(
        ["ws://127.0.0.1:9/nobody", node.url],
        token=lambda: node.token(KARIM),
        heard=hear,
        clock=SystemClock(),
        codec=codec,
        patience=QUICK,
        dismissed=dismissed,
    )
    running = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        await client.close()
        with suppress(Refused):
            await running


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=["json", "protobuf"])
async def test_it_finds_a_node_that_answers_and_recovers_what_it_missed(
    sqlite_database: Database, codec: Codec
):
    heard: list[int] = []
    async with serving(Node(sqlite_database)) as node, living(node, heard, codec) as client:
        there = await node.conversation(AMINA, KARIM)
        await client.follow(channel_of(there))
        await node.say(there, AMINA, "1", "2")
        await node.until(lambda: heard == [1, 2])
        client.drop()
        await node.say(there, AMINA, "3", "4")
        await node.until(lambda: heard == [1, 2, 3, 4])

    assert client.connections == 2
    assert client.violations == []


async def test_what_the_server_recovers_no_more_is_read_from_history(sqlite_database: Database):
    heard: list[int] = []
    forgetful = Node(sqlite_database, recovery_options=RecoveryOptions(publications=5))
    async with serving(forgetful) as node, living(node, heard) as client:
        there = await node.conversation(AMINA, KARIM)
        await client.follow(channel_of(there))
        await node.say(there, AMINA, "first")
        await node.until(lambda: heard == [1])
        client.urls = client.urls[:1]
        client.drop()
        await node.say(there, AMINA, *map(str, range(40)))
        client.urls = [node.url]
        await node.until(lambda: len(heard) == 41)
        await node.say(there, AMINA, "last")
        await node.until(lambda: len(heard) == 42)

    assert heard == list(range(1, 43))
    assert node.metric("messaging_recoveries_total", outcome="lost") == 1
    assert client.violations == []


async def test_a_question_survives_a_lost_connection(sqlite_database: Database):
    async with serving(Node(sqlite_database)) as node, living(node, []) as client:
        there = await node.conversation(AMINA, KARIM)
        await client.follow(channel_of(there))
        asked = b'{"conversation_id":"%b","idempotency_key":"k","body":{"text":"salam"}}'
        asking = asyncio.create_task(client.rpc("messages.send", asked % str(there.id).encode()))
        await asyncio.sleep(0)
        client.drop()
        answer = await asyncio.wait_for(asking, 10)

    assert b'"offset":1' in answer
    assert client.connections == 2


async def test_a_refusal_is_not_asked_again(sqlite_database: Database):
    async with serving(Node(sqlite_database)) as node, living(node, []) as client:
        with pytest.raises(Refused) as caught:
            await asyncio.wait_for(client.rpc("no.such_method", b"{}"), 10)
        strangers = await node.conversation(AMINA)
        with pytest.raises(Refused):
            await asyncio.wait_for(client.follow(channel_of(strangers)), 10)

    assert caught.value.code == 104
    assert client.connections == 1


async def test_whoever_is_sent_away_for_good_does_not_come_back(sqlite_database: Database):
    async with serving(Node(sqlite_database)) as node:
        client = LiveClient(
            [node.url],
            token=lambda: node.token(KARIM, secret="another secret than the server's, and long"),
            heard=lambda _channel, _publication: None,
            clock=SystemClock(),
            patience=QUICK,
        )
        with pytest.raises(Refused) as caught:
            await asyncio.wait_for(client.run(), 10)

    assert caught.value.code == 3500


async def test_a_channel_that_is_left_is_followed_again_from_where_it_was_left(
    sqlite_database: Database,
):
    heard: list[int] = []
    async with serving(Node(sqlite_database)) as node, living(node, heard) as client:
        there = await node.conversation(AMINA, KARIM)
        await client.follow(channel_of(there))
        await node.say(there, AMINA, "1")
        await node.until(lambda: heard == [1])
        position = await client.unfollow(channel_of(there))
        await node.say(there, AMINA, "2")
        assert heard == [1]

        await client.follow(channel_of(there), since=position)
        await node.until(lambda: heard == [1, 2])

    assert client.violations == []


async def test_who_may_listen_no_more_is_told_and_stays(sqlite_database: Database):
    ends: list[tuple[str, int]] = []
    heard: list[int] = []

    def dismissed(channel: str, why: Refused) -> None:
        ends.append((channel, why.code))

    async with (
        serving(Node(sqlite_database)) as node,
        living(node, heard, dismissed=dismissed) as client,
    ):
        there, elsewhere = [await node.conversation(AMINA, KARIM) for _ in range(2)]
        for each in (there, elsewhere):
            await client.follow(channel_of(each))
        removal = member_removed(there.id, KARIM)
        await node.conversations.remove_member(there.id, KARIM, then=[removal])
        await node.until(lambda: ends)
        await node.say(elsewhere, AMINA, "1")
        await node.until(lambda: heard)

    assert ends == [(channel_of(there), 103)]


async def test_what_must_not_be_asked_twice_is_asked_once(sqlite_database: Database):
    async with AsyncExitStack() as served:
        node = await served.enter_async_context(serving(Node(sqlite_database)))
        async with living(node, []) as client:
            await client.follow(channel_of(await node.conversation(AMINA, KARIM)))
            asked = requests.RPCRequest("no.such_method", b"{}")
            answer = await client.attempt(asked)
            # A node that stays would have it back before anybody looks.
            await served.aclose()
            await node.until(lambda: client._line is None)

            assert isinstance(answer, results.Error)
            assert await client.attempt(asked) is None
