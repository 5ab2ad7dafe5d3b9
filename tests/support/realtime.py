"""A node's realtime half in this process, behind a real uvicorn, and clients that talk to it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from kernel.adapters.database import Database
from kernel.adapters.jwt import JwtVerifier, TokenOptions
from kernel.adapters.memory_bus import MemoryBus
from kernel.adapters.sql_api_keys import SqlApiKeys
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.bus import Bus
from kernel.clock import Clock, SystemClock
from kernel.identity import Principal, TokenVerifier
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.operations import AnyOperation
from kernel.workers import Stop, Worker
from messaging.adapters.memory_presence import MemoryChannelPresence, MemoryPresence
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.adapters.sql_publications import SqlPublications
from messaging.channels.names import conversation_channel
from messaging.channels.namespaces import ChannelSettings, Namespaces
from messaging.commands.connecting import ConnectingOptions
from messaging.commands.gate import GateOptions
from messaging.connections.departures import WireOptions
from messaging.connections.quotas import ConnectionOptions
from messaging.connections.rates import RateOptions
from messaging.conversations.bodies import MessageLimits
from messaging.conversations.conversations import ConversationLimits, Conversations
from messaging.conversations.messages import Messages
from messaging.delivery.following import HubOptions
from messaging.nodes.nodes import NodeOptions
from messaging.ports import ChannelPresenceRegistry, PresenceRegistry
from messaging.protocol import values
from messaging.protocol.client import Answered, ClientProtocol
from messaging.protocol.codec import Codec
from messaging.protocol.frames import Push
from messaging.protocol.json_codec import JSON
from messaging.protocol.results import Error
from messaging.protocol.values import StreamPosition
from messaging.recovery.recovery import RecoveryOptions
from messaging.routes import operations
from messaging.sockets.endpoint import Endpoint
from messaging.sockets.gateway import TRANSPORTS, GatewayOptions
from messaging.sockets.handshake import WebSocketProtocol
from messaging.sockets.upgrading import Upgrading
from messaging.types import Conversation, Message
from reminders.adapters.sql_gatherings import SqlGatherings
from server.http_protocol import punctual_http
from server.wiring.realtime import Ports, RealtimeOptions, RealtimeParts
from server.wiring.streaming import other_transports
from tests.support.factories_messaging import group, members

SECRET = "a secret that only the tests know, long enough"
PATIENCE = 10.0


def verifier(clock: Clock) -> TokenVerifier:
    """Takes what `Node.token` makes."""
    return JwtVerifier(TokenOptions(hmac_keys=(f":{SECRET}",)), clock)


@dataclass
class Node:
    """One node; everything a test may want to look at or disturb."""

    database: Database
    bus: Bus = field(default_factory=MemoryBus)
    clock: Clock = field(default_factory=SystemClock)
    registry: PresenceRegistry = field(default_factory=MemoryPresence)
    channel_registry: ChannelPresenceRegistry = field(default_factory=MemoryChannelPresence)
    channel_settings: ChannelSettings = field(default_factory=ChannelSettings)
    connecting_options: ConnectingOptions = field(default_factory=ConnectingOptions)
    insecure: bool = False
    native: bool = True
    """Whether uvicorn runs our WebSocket protocol, or its own."""
    shortcut: bool = True
    """Whether our protocol takes usual handshakes past ASGI."""
    tls: ssl.SSLContext | None = None
    tls_files: tuple[str, str] | None = None
    connection_options: ConnectionOptions = field(default_factory=ConnectionOptions)
    wire_options: WireOptions = field(default_factory=WireOptions)
    hub_options: HubOptions = field(default_factory=lambda: HubOptions(poll_seconds=0.05))
    gate_options: GateOptions = field(default_factory=GateOptions)
    rate_options: RateOptions = field(default_factory=RateOptions)
    gateway_options: GatewayOptions = field(default_factory=GatewayOptions)
    node_options: NodeOptions = field(default_factory=NodeOptions)
    recovery_options: RecoveryOptions = field(default_factory=RecoveryOptions)
    tokens: TokenVerifier | None = None
    """Reads tokens; without one, only their signatures and times count."""
    more_operations: Sequence[AnyOperation] = ()
    counts: Callable[[Principal], None] | None = None
    """Counts what servers ask; without it they may ask as often as they like."""
    on_send: Callable[[Principal, bytes], None] | None = None
    routes: Sequence[WebSocketRoute] = ()
    body_seconds: float = 5.0
    head_seconds: float = 5.0

    def __post_init__(self) -> None:
        clock, metrics = self.clock, Metrics()
        self.metrics = metrics
        self.conversations = SqlConversations(database=self.database, clock=clock)
        self.store = SqlMessages(
            database=self.database, clock=clock, metrics=metrics, options=BatchOptions()
        )
        self.messages = Messages(
            store=self.store,
            conversations=self.conversations,
            bus=self.bus,
            clock=clock,
            limits=MessageLimits(),
        )
        rooms = Conversations(
            store=self.conversations, bus=self.bus, clock=clock, limits=ConversationLimits()
        )
        self.publications = SqlPublications(
            database=self.database, clock=clock, metrics=metrics, options=BatchOptions()
        )
        self.api_keys = SqlApiKeys(self.database, clock)
        self.node_id = uuid4().hex
        tokens = self.tokens or verifier(clock)
        self.parts = parts = RealtimeParts(
            Ports(
                node_id=self.node_id,
                bus=self.bus,
                clock=clock,
                metrics=metrics,
                outbox=SqlOutbox(self.database, clock),
                tokens=tokens,
                subscription_tokens=tokens,
                api_keys=self.api_keys,
                count=self._count,
                conversations=self.conversations,
                gatherings=SqlGatherings(self.database),
                messages=self.store,
                publications=self.publications,
                presence=self.registry,
                channel_presence=self.channel_registry,
            ),
            RealtimeOptions(
                namespaces=Namespaces(self.channel_settings),
                connecting=self.connecting_options,
                connections=self.connection_options,
                rates=self.rate_options,
                wire=self.wire_options,
                gateway=self.gateway_options,
                gate=self.gate_options,
                hub=self.hub_options,
                recovery=self.recovery_options,
                nodes=self.node_options,
                insecure=self.insecure,
            ),
            version="test",
            node_name="test",
            measures=dict,
            operations=[
                *operations(conversations=rooms, messages=self.messages),
                *self.more_operations,
            ],
            on_send=self.on_send,
        )
        self.streams, self.access, self.publishing = parts.streams, parts.access, parts.publishing
        self.departures, self.wheel, self.following = parts.departures, parts.wheel, parts.following
        self.hub, self.catchup, self.keeper = parts.hub, parts.catchup, parts.keeper
        self.nodes, self.surveys, self.sessions = parts.nodes, parts.surveys, parts.sessions
        self.commands, self.gateway, self.workers = parts.commands, parts.gateway, parts.workers
        self.port = 0
        self.server: uvicorn.Server | None = None

    def _count(self, principal: Principal) -> None:
        if self.counts is not None:
            self.counts(principal)

    @property
    def url(self) -> str:
        scheme = "wss" if self.tls_files else "ws"
        return f"{scheme}://127.0.0.1:{self.port}/connection/websocket"

    @property
    def http_url(self) -> str:
        return f"{'https' if self.tls_files else 'http'}://127.0.0.1:{self.port}"

    def token(
        self, user_id: str, *, seconds: float | None = None, secret: str = SECRET, **more: Any
    ) -> str:
        claims: dict[str, Any] = {"sub": user_id, **more}
        if seconds is not None:
            claims["exp"] = int((self.clock.now() + timedelta(seconds=seconds)).timestamp())
        return jwt.encode(claims, secret, "HS256")

    async def conversation(self, *user_ids: UserId) -> Conversation:
        """A group of these users."""
        there = group()
        await self.conversations.create(there, members(there, *user_ids))
        return there

    async def say(self, there: Conversation, user_id: UserId, *texts: str) -> list[Message]:
        """Messages of a member, one after the other."""
        return [
            await self.messages.send(
                user_id,
                conversation_id=there.id,
                body=b'{"text":"%b"}' % text.encode(),
                idempotency_key=f"{user_id}-{there.id}-{text}"[:64],
            )
            for text in texts
        ]

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics._registry.get_sample_value(name, labels) or 0.0


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: they belong to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(node: Node, *, workers: Sequence[Worker] | None = None) -> AsyncIterator[Node]:
    """Serve a node on a free port; `workers` are those that run, all of them by default."""
    app = Starlette(
        routes=[
            WebSocketRoute("/connection/websocket", Endpoint(node.gateway).serve),
            *other_transports(
                node.gateway, node.sessions, transports=TRANSPORTS, body_seconds=node.body_seconds
            ),
            *node.routes,
        ]
    )
    certificate, key = node.tls_files or (None, None)
    config = uvicorn.Config(
        app,
        http=punctual_http(
            node.head_seconds, upgrade=Upgrading(node.gateway).take if node.shortcut else None
        )
        if node.native
        else "httptools",
        ws=WebSocketProtocol if node.native else "websockets-sansio",
        ws_max_size=node.wire_options.message_bytes,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=5,
    )
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    node.port = listening.getsockname()[1]
    server, stop = _Server(config), Stop()
    node.server = server
    tasks = [asyncio.create_task(server.serve([listening]))]
    running = node.workers if workers is None else list(workers)
    tasks += [asyncio.create_task(worker.run(stop)) for worker in running]
    try:
        await node.until(lambda: server.started or tasks[0].done())
        if node.hub in running:
            await node.until(lambda: node.following._listener or tasks[1].done())
        yield node
    finally:
        server.should_exit = True
        await tasks[0]
        stop.ask()
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
        await node.store.close()
        await node.publications.close()


class Talker:
    """A client: one WebSocket with the client's half of the protocol."""

    def __init__(self, websocket: ClientConnection, protocol: ClientProtocol) -> None:
        self.websocket = websocket
        self.protocol = protocol
        self.answers: dict[int, Answered] = {}
        self.pushes: list[Push] = []
        self.frames = 0

    async def flush(self) -> None:
        output = self.protocol.take_output()
        if output is not None:
            await self.websocket.send(output if self.protocol.codec.binary else output.decode())

    async def hear(self) -> None:
        """Take one frame."""
        frame = await self.websocket.recv()
        self.frames += 1
        data = frame.encode() if isinstance(frame, str) else frame
        for heard in self.protocol.receive(data):
            if isinstance(heard, Answered):
                self.answers[heard.id] = heard
            else:
                self.pushes.append(heard)
        await self.flush()

    async def answer(self, id: int) -> Any:
        """What the request with this id was answered."""
        await self.flush()
        async with asyncio.timeout(PATIENCE):
            while id not in self.answers:
                await self.hear()
        return self.answers[id].result

    async def until(self, true: Callable[[], object]) -> None:
        """Listen until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                await self.hear()

    async def subscribe(self, channel: str, **more: Any) -> Any:
        return await self.answer(self.protocol.subscribe(channel, **more))

    async def rpc(self, method: str, data: bytes = b"") -> Any:
        return await self.answer(self.protocol.rpc(method, data))

    async def closed(self) -> tuple[int, str]:
        """The code and reason that the server closes with."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await self.hear()
        except ConnectionClosed as closed:
            said = closed.rcvd
        assert said is not None, "the connection was cut"
        return said.code, said.reason

    def offsets(self, channel: str) -> list[int]:
        """Of the publications that were heard live."""
        return [
            push.event.offset
            for push in self.pushes
            if push.channel == channel and isinstance(push.event, values.Publication)
        ]


@asynccontextmanager
async def talking(
    node: Node,
    user_id: str | None = None,
    *,
    codec: Codec = JSON,
    positions: dict[str, StreamPosition] | None = None,
    **more: Any,
) -> AsyncIterator[Talker]:
    """A client, connected as a user if one is named."""
    subprotocols = [Subprotocol(codec.subprotocol)] if codec.binary else None
    protocol = ClientProtocol(codec, positions=positions)
    if node.tls is not None:
        more["ssl"] = node.tls
    async with connect(
        node.url, subprotocols=subprotocols, compression=None, ping_interval=None, **more
    ) as websocket:
        talker = Talker(websocket, protocol)
        if user_id is not None:
            result = await talker.answer(protocol.connect(token=node.token(user_id)))
            assert not isinstance(result, Error), result
        yield talker


def channel_of(there: Conversation) -> str:
    return conversation_channel(UUID(str(there.id)))
