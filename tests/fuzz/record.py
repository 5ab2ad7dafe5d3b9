"""Records what the official clients send, as seeds: `python -m tests.fuzz.record`.

The clients run against a node in this process, through a proxy that writes down every frame.
"""

import asyncio
import tempfile
from collections import defaultdict
from contextlib import suppress

from kernel.adapters.database import Database, DatabaseOptions
from messaging.connections.framing import FrameReader
from server import migrations
from tests.conformance.clients import KINDS, Clients
from tests.conformance.events import ClientError
from tests.fuzz.conversation import Kind, Step, written
from tests.fuzz.corpus import keep
from tests.fuzz.stage import CHANNEL, CONVERSATION, SHORT, TOKEN
from tests.fuzz.targets import joined
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, channel_of, serving


class Proxy:
    """Passes bytes on, and keeps what clients say after the handshake, by connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.said: list[bytearray] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        back.write(await reader.readuntil(b"\r\n\r\n"))
        kept = bytearray()
        self.said.append(kept)

        async def forth() -> None:
            while data := await reader.read(65_536):
                kept.extend(data)
                back.write(data)

        async def home() -> None:
            while data := await there.read(65_536):
                writer.write(data)

        with suppress(ConnectionError):
            await asyncio.wait(
                [asyncio.create_task(forth()), asyncio.create_task(home())],
                return_when=asyncio.FIRST_COMPLETED,
            )
        writer.close()
        back.close()


async def play(clients: Clients, kind: str, url: str, tokens: list[str], channel: str) -> None:
    """Everything that a client can ask for."""
    client = clients.client(kind, url, tokens)
    await client.start()
    await client.do("connect")
    await client.event("connected")
    await client.do("subscribe", channel=channel)
    await client.event("subscribed")
    conversation, text = channel.partition(":")[2], "مرحبا، à demain 👰🏽"
    for number in range(3):
        body = {"body": {"text": text}, "idempotency_key": f"k{number}"}
        await client.do(
            "rpc", method="messages.send", data={"conversation_id": conversation, **body}
        )
    await client.event("publication")
    for options in ({"limit": 10, "reverse": True}, {"since": {"offset": 1, "epoch": ""}}):
        await client.do("history", channel=channel, options={"limit": 2, **options})
    await client.do("presence", channel=channel)
    await client.do("presenceStats", channel=channel)
    for action, asked in (("rpc", {"method": "none"}), ("publish", {"channel": channel})):
        with suppress(ClientError):
            await client.do(action, data={"a": [1, None, {"b": ""}]}, **asked)
    await client.event("token")
    await client.do("drop")
    await client.event("connected")
    await client.do("unsubscribe", channel=channel)
    await client.do("subscribe", channel=f"user:{AMINA}", getState=[{"offset": 3, "epoch": "e"}])
    await client.event("state")
    await asyncio.sleep(0.5)
    await client.close()


async def record() -> None:
    """Let every kind of client talk to a node, and keep what it said for each target."""
    kept: dict[str, list[bytes]] = defaultdict(list)
    clients = Clients()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/zaffa.sqlite3"
        await migrations.upgrade(url)
        database = Database(DatabaseOptions(url=url))
        async with serving(Node(database)) as node:
            for kind in KINDS:
                there = await node.conversation(AMINA, KARIM)
                words = {
                    node.token(AMINA, seconds=3): SHORT,
                    node.token(AMINA): TOKEN,
                    channel_of(there): CHANNEL,
                    str(there.id): CONVERSATION,
                }
                proxy = Proxy(node.port)
                async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
                    port = server.sockets[0].getsockname()[1]
                    address = f"ws://127.0.0.1:{port}/connection/websocket"
                    await play(clients, kind, address, list(words)[:2], channel_of(there))
                for said in proxy.said:
                    sort(kind, bytes(said), words, kept)
        await database.close()
    clients.stop()
    for target, inputs in kept.items():
        keep(target, inputs)


def sort(kind: str, said: bytes, words: dict[str, str], kept: dict[str, list[bytes]]) -> None:
    """What one connection said, as each target reads it."""
    frames = [payload for opcode, payload in FrameReader().feed(said, limit=1 << 20) if opcode < 3]
    for word, placeholder in words.items():
        frames = [each.replace(word.encode(), placeholder.encode()) for each in frames]
    binary = kind.endswith("protobuf")
    kept["websocket"].append(joined(said[:1], said[1:60], said[60:]))
    kept["session"].append((b"\xff" if binary else b"\0") + joined(*frames))
    kept["protobuf_commands" if binary else "json_commands"] += frames
    steps = [step for each in frames for step in (Step(Kind.MESSAGE, each), Step(Kind.SETTLE))]
    kept["connection"].append(written(steps, binary=binary))


if __name__ == "__main__":
    asyncio.run(record())
