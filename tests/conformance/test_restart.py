"""What the official clients experience when a node ends, and when it is killed."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.conformance.clients import Clients
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("javascript-json", "asked"),
        ("javascript-protobuf", "killed"),
        ("python-json", "killed"),
        ("python-protobuf", "asked"),
        ("javascript-json-http_stream", "asked"),
        ("javascript-protobuf-http_stream", "killed"),
        ("javascript-json-sse", "asked"),
    ],
)
async def test_a_client_comes_back_to_a_restarted_node_and_misses_nothing(
    kind: str, ending: str, clients: Clients, tmp_path: Path
) -> None:
    async with RunningHouse.start(tmp_path) as house:
        conversation = await house.group("amina", "karim")
        channel = f"conversation:{conversation}"
        client = clients.client(kind, house.websocket_url, [house.token("karim")])
        await client.start()
        try:
            await client.do("connect")
            await client.do("subscribe", channel=channel)
            await client.event("subscribed")
            await say(house, conversation)
            await client.event("publication", offset=1)

            if ending == "killed":
                house.kill()
            else:
                assert house.end() == 0
            left = await client.event("connecting")
            house.spawn()
            await house.ready()
            for _ in range(3):
                await say(house, conversation)
            back = await client.event("subscribed")
            await say(house, conversation)
            await client.event("publication", offset=5)
        finally:
            await client.close()

    assert left["code"] == (3001 if ending == "asked" else 1)
    assert back["recovered"] is True
    assert client.offsets(channel) == [1, 2, 3, 4, 5]


async def say(house: RunningHouse, conversation: str) -> None:
    await house.call(
        "POST",
        f"/v1/conversations/{conversation}/messages",
        user="amina",
        body={"body": {"text": "مرحبا"}, "idempotency_key": uuid4().hex},
    )
