"""Messaging, wired."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from socket import gethostname
from typing import Any

from starlette.routing import BaseRoute
from starlette.websockets import WebSocket

from kernel.operations import AnyOperation
from messaging import routes
from messaging.adapters.memory_presence import MemoryChannelPresence, MemoryPresence
from messaging.adapters.redis_presence import RedisChannelPresence, RedisPresence
from messaging.adapters.redis_rates import RedisRates
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.adapters.sql_missed import SqlMissed
from messaging.adapters.sql_publications import SqlPublications
from messaging.adapters.sql_reading import SqlReading
from messaging.api.calls import ServerApi
from messaging.api.operations import user_operations
from messaging.channels.namespaces import Namespaces
from messaging.connections.rates import RateTable
from messaging.connections.user_rates import RateStore
from messaging.conversations import reading_routes
from messaging.conversations.conversations import Conversations, Removals
from messaging.conversations.messages import Messages
from messaging.conversations.partings import Partings
from messaging.conversations.reading import Reading
from messaging.facts import EVENT_LEFT, MEMBER_REMOVED, MESSAGE_SENT, USER_VANISHED
from messaging.ports import ChannelPresenceRegistry, PresenceRegistry
from messaging.presence.away import Away
from messaging.presence.presence import Presences
from messaging.presence.vanishing import MissedNews
from messaging.publishing.publishing import Publishing
from messaging.sockets.endpoint import Endpoint
from messaging.sockets.upgrading import Upgrading
from messaging.upkeep import StreamUpkeep
from reminders.adapters.sql_gatherings import SqlGatherings
from server import __version__
from server.vitals import Vitals
from server.wiring.api import server_api
from server.wiring.ground import Ground
from server.wiring.realtime import Ports, RealtimeOptions, RealtimeParts
from server.wiring.streaming import other_transports
from server.wiring.talks import ChatTalks
from server.wiring.users import Users


@dataclass(frozen=True, slots=True)
class Realtime:
    """What the house needs of a gateway."""

    websocket: Callable[[WebSocket], Awaitable[None]]
    upgrade: Callable[[bytes, asyncio.Transport, set[Any]], bool]
    streams: Sequence[BaseRoute]
    api: ServerApi
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
        self._publication_store = SqlPublications(
            database=ground.database,
            clock=ground.clock,
            metrics=ground.metrics,
            options=settings.ingest,
        )
        ground.closes(self._publication_store.close)
        self.namespaces = Namespaces(settings.channels)
        self.registry, self.channel_registry = self._presence_registries()
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
        self.reading = SqlReading(ground.database, clock=ground.clock)
        ground.operations += reading_routes.operations(
            Reading(store=self.reading, relaying=ground.relaying)
        )
        self.publishing = Publishing(
            store=self._publication_store,
            bus=ground.bus,
            namespaces=self.namespaces,
            clock=ground.clock,
        )
        self.talks = ChatTalks(self.messages, self._conversation_store)
        self._gatherings = SqlGatherings(ground.database)
        self.users = Users(ground, registry=self.registry)

    def _presence_registries(self) -> tuple[PresenceRegistry, ChannelPresenceRegistry]:
        redis, settings = self._ground.redis, self._ground.settings
        if redis is None:
            return MemoryPresence(), MemoryChannelPresence()
        prefix, ttl = f"{settings.redis.prefix}presence", settings.presence.ttl_seconds
        return (
            RedisPresence(redis, ttl_seconds=ttl, prefix=f"{prefix}:user"),
            RedisChannelPresence(redis, ttl_seconds=ttl, prefix=f"{prefix}:channel"),
        )

    def _user_rates(self) -> RateStore | None:
        settings = self._ground.settings
        table = RateTable(settings.rates.user)
        if self._ground.redis is None or not table:
            return None
        return RedisRates(
            self._ground.redis,
            clock=self._ground.clock,
            metrics=self._ground.metrics,
            prefix=f"{settings.redis.prefix}rates",
            longest=table.longest,
        )

    def relay(self) -> None:
        """What follows from messaging's facts."""
        looking = Presences(self.registry).looking
        away = Away(audiences=self._conversation_store, looking=looking, clock=self._ground.clock)
        missed = SqlMissed(self._ground.database, limits=self._ground.settings.messages)
        news = MissedNews(messages=missed, looking=looking, clock=self._ground.clock)
        self._ground.workers.append(
            StreamUpkeep(store=self._publication_store, clock=self._ground.clock)
        )
        removals = Removals(store=self._conversation_store, bus=self._ground.bus)
        self._ground.handlers[MESSAGE_SENT] = away.handle
        self._ground.handlers[MEMBER_REMOVED] = removals.handle
        self._ground.handlers[USER_VANISHED] = news.handle
        partings = Partings(gatherings=self._gatherings, bus=self._ground.bus)
        self._ground.handlers[EVENT_LEFT] = partings.handle

    def gateway(self, operations: list[AnyOperation]) -> Realtime:
        """Connections, which may call those `operations` that are open to RPC."""
        ground, settings = self._ground, self._ground.settings
        ports = Ports(
            node_id=ground.node_id,
            bus=ground.bus,
            clock=ground.clock,
            metrics=ground.metrics,
            outbox=ground.outbox,
            tokens=self.users.tokens,
            subscription_tokens=self.users.subscription_tokens,
            api_keys=ground.api_keys,
            count=ground.callers.count,
            conversations=self._conversation_store,
            gatherings=self._gatherings,
            messages=self._message_store,
            publications=self._publication_store,
            presence=self.registry,
            channel_presence=self.channel_registry,
            rates=self._user_rates(),
        )
        options = RealtimeOptions(
            namespaces=self.namespaces,
            connecting=replace(
                settings.connecting,
                allow_anonymous_connect_without_token=settings.server.insecure
                or settings.connecting.allow_anonymous_connect_without_token,
            ),
            connections=settings.connections,
            rates=settings.rates,
            wire=settings.wire,
            gateway=settings.gateway,
            gate=settings.gate,
            hub=settings.hub,
            recovery=settings.recovery,
            presence=settings.presence,
            nodes=settings.nodes,
            insecure=settings.server.insecure,
        )
        parts = RealtimeParts(
            ports,
            options,
            version=__version__,
            node_name=settings.nodes.name or f"{gethostname()}_{settings.server.port}",
            measures=Vitals(ground.clock),
            operations=operations,
        )
        ground.workers += parts.workers
        self.users.gateway(parts)
        streams = other_transports(
            parts.gateway,
            parts.sessions,
            transports=settings.gateway.transports,
            body_seconds=settings.server.body_seconds,
        )
        api = server_api(
            parts,
            ports,
            namespaces=self.namespaces,
            options=settings.api,
            more=user_operations(self.users.api),
        )
        return Realtime(
            websocket=Endpoint(parts.gateway).serve,
            upgrade=Upgrading(parts.gateway).take,
            streams=streams,
            api=api,
            drain=parts.gateway.drain,
        )
