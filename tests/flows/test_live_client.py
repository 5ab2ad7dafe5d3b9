"""The client of tools and replays: it comes back, asks again, and leaves no gap."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from kernel.adapters.database import Database
from kernel.backoff import Backoff
from kernel.clock import SystemClock
from messaging.protocol.codec import Codec
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.values import Publication
from messaging.recovery import RecoveryOptions
from server.live_client import LiveClient
from server.live_line import Patience, Refused
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, channel_of, serving

QUICK = Patience(backoff=Backoff(first=0.02, cap=0.1), answer=2.0, ping=2.0)


@asynccontextmanager
async def living(node: Node, heard: list[int], codec: Codec = JSON) -> AsyncIterator[LiveClient]:
    def hear(_channel: str, publication: Publication) -> None:
        heard.append(publication.offset)

    client = LiveClient(
        ["ws://127.0.0.1:9/nobody", node.url],
        token=lambda: node.token(KARIM),
        heard=hear,
        clock=SystemClock(),
        codec=codec,
        patience=QUICK,
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
