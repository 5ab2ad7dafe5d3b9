"""Messaging, wired."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from socket import gethostname
from typing import Any

from redis.asyncio import Redis
from starlette.websockets import WebSocket

from kernel.operations import AnyOperation
from messaging import routes
from messaging.access import Access
from messaging.adapters.memory_presence import MemoryPresence
from messaging.adapters.redis_presence import RedisPresence
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.away import Away
from messaging.catchup import CatchUp
from messaging.commands import Commands
from messaging.conversations import Conversations, Removals
from messaging.departures import Departures
from messaging.endpoint import Endpoint
from messaging.facts import MEMBER_REMOVED, MESSAGE_SENT
from messaging.following import Following
from messaging.gate import Gate
from messaging.gateway import Gateway
from messaging.history import History
from messaging.hub import Hub
from messaging.messages import Messages
from messaging.nodes import Nodes
from messaging.ports import PresenceRegistry
from messaging.presence import PresenceKeeper, Presences
from messaging.sending import writers
from messaging.streams import ConversationStreams
from messaging.subscriptions import Subscriptions
from messaging.surveys import Surveys
from messaging.wheel import TimerWheel
from server import __version__
from server.vitals import Vitals
from server.wiring.ground import Ground


@dataclass(frozen=True, slots=True)
class Realtime:
    """What the house needs of a gateway."""

    websocket: Callable[[WebSocket], Awaitable[None]]
    drain: Callable[[float], Coroutine[Any, Any, None]]


class Chat:
    """Messaging's stores and use cases, on any role."""

    def __init__(self, ground: Ground) -> None:
        settings = ground.settings
        self._ground = ground
        self._conversation_store = SqlConversations(database=ground.database, clock=ground.clock)
        self._message_store = SqlMessages(
            database=ground.database,
            clock=ground.clock,
            metrics=ground.metrics,
            options=settings.ingest,
        )
        ground.closes(self._message_store.close)
        self.registry = self._presence_registry()
        self.conversations = Conversations(
            store=self._conversation_store,
            bus=ground.bus,
            clock=ground.clock,
            limits=settings.conversations,
        )
        self.messages = Messages(
            store=self._message_store,
            conversations=self._conversation_store,
            bus=ground.bus,
            clock=ground.clock,
            limits=settings.messages,
            relaying=ground.relaying,
        )
        ground.operations += routes.operations(
            conversations=self.conversations, messages=self.messages
        )

    def _presence_registry(self) -> PresenceRegistry:
        options = self._ground.settings.redis
        if not options.url:
            return MemoryPresence()
        redis = Redis.from_url(
            options.url,
            socket_timeout=options.timeout_seconds,
            socket_connect_timeout=options.timeout_seconds,
        )
        self._ground.closes(redis.aclose)
        return RedisPresence(
            redis,
            ttl_seconds=self._ground.settings.presence.ttl_seconds,
            prefix=f"{options.prefix}presence:user",
        )

    def relay(self) -> None:
        """What follows from messaging's facts."""
        away = Away(
            audiences=self._conversation_store,
            looking=Presences(self.registry).looking,
            clock=self._ground.clock,
        )
        removals = Removals(store=self._conversation_store, bus=self._ground.bus)
        self._ground.handlers[MESSAGE_SENT] = away.handle
        self._ground.handlers[MEMBER_REMOVED] = removals.handle

    def gateway(self, operations: list[AnyOperation]) -> Realtime:
        """Connections, which may call those `operations` that are open to RPC."""
        ground, settings = self._ground, self._ground.settings
        clock, metrics = ground.clock, ground.metrics
        streams = ConversationStreams(self._message_store)
        access = Access(self._conversation_store)
        departures = Departures(writers(compiled=settings.wire.compiled))
        wheel = TimerWheel(clock=clock)
        following = Following(
            streams=streams,
            departures=departures,
            clock=clock,
            metrics=metrics,
            options=settings.hub,
        )
        hub = Hub(
            node_id=ground.node_id,
            bus=ground.bus,
            following=following,
            clock=clock,
            metrics=metrics,
        )
        catch_up = CatchUp(
            hub=hub,
            following=following,
            streams=streams,
            outbox=ground.outbox,
            access=access,
            clock=clock,
            metrics=metrics,
        )
        nodes = Nodes(
            node_id=ground.node_id,
            node_name=settings.nodes.name or f"{gethostname()}_{settings.server.port}",
            version=__version__,
            counts=hub.counts,
            measures=Vitals(clock),
            bus=ground.bus,
            clock=clock,
            metrics=metrics,
            options=settings.nodes,
        )
        surveys = Surveys(nodes=nodes, bus=ground.bus, metrics=metrics)
        hub.confidants += [nodes.take, surveys.take]
        keeper = PresenceKeeper(self.registry, clock=clock, options=settings.presence)
        commands = Commands(
            version=f"zaffa {__version__}",
            verifier=ground.tokens,
            operations={each.name: each for each in operations if each.rpc},
            hub=hub,
            subscriptions=Subscriptions(
                hub=hub,
                following=following,
                access=access,
                streams=streams,
                metrics=metrics,
                options=settings.recovery,
            ),
            access=access,
            history=History(streams, limit=settings.recovery.publications),
            presences=Presences(self.registry),
            keeper=keeper,
            wheel=wheel,
            clock=clock,
            metrics=metrics,
            connection_options=settings.connections,
            gate=Gate(settings.gate),
            rate_options=settings.rates,
        )
        gateway = Gateway(
            hub=hub,
            host=commands,
            departures=departures,
            wheel=wheel,
            clock=clock,
            wire_options=settings.wire,
            options=settings.gateway,
        )
        ground.workers += [hub, catch_up, wheel, keeper, nodes, surveys]
        return Realtime(websocket=Endpoint(gateway).serve, drain=gateway.drain)
