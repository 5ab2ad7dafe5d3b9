"""A gateway's realtime half, wired: from ports and options to everything between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel.bus import Bus
from kernel.clock import Clock
from kernel.identity import ApiKeys, Principal, TokenVerifier
from kernel.metrics import Metrics
from kernel.operations import AnyOperation
from kernel.outbox import Outbox
from kernel.workers import Worker
from messaging.access import Access
from messaging.adapters.memory_rates import MemoryRates
from messaging.channels.namespaces import Namespaces
from messaging.commands.commands import Commands
from messaging.commands.connecting import Connecting, ConnectingOptions
from messaging.commands.doors import Doors
from messaging.commands.gate import Gate, GateOptions
from messaging.commands.procedures import Procedures
from messaging.commands.server_side import ServerSide
from messaging.commands.servers import BackEnds
from messaging.commands.subscriptions import Subscriptions
from messaging.connections.departures import Departures, WireOptions
from messaging.connections.frame_io import frame_io
from messaging.connections.quotas import ConnectionOptions
from messaging.connections.rates import RateOptions, RateTable
from messaging.connections.user_rates import RateStore, UserRates
from messaging.connections.wheel import TimerWheel
from messaging.delivery.following import Following, HubOptions
from messaging.hub import Hub
from messaging.nodes.nodes import NodeOptions, Nodes
from messaging.nodes.surveys import Surveys
from messaging.outside import Gatherings
from messaging.ports import (
    ChannelPresenceRegistry,
    ConversationStore,
    MessageStore,
    PresenceRegistry,
    PublicationStore,
)
from messaging.presence.attendance import AttendanceBook, Attendances
from messaging.presence.presence import (
    PresenceOptions,
    Presences,
    channel_keeper,
    connection_keeper,
)
from messaging.presence.vanishing import Vanishings
from messaging.publishing.history import History
from messaging.publishing.publishing import Publishing
from messaging.publishing.streams import ChannelStreams
from messaging.recovery.catchup import CatchUp
from messaging.recovery.recovering import Recoveries
from messaging.recovery.recovery import RecoveryOptions
from messaging.sockets.gateway import Gateway, GatewayOptions
from messaging.streaming.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a realtime half stands on."""

    node_id: str
    bus: Bus
    clock: Clock
    metrics: Metrics
    outbox: Outbox
    tokens: TokenVerifier
    subscription_tokens: TokenVerifier
    api_keys: ApiKeys
    count: Callable[[Principal], None]
    """Counts what a server asks, together with what it asks over HTTP."""
    conversations: ConversationStore
    gatherings: Gatherings
    messages: MessageStore
    publications: PublicationStore
    presence: PresenceRegistry
    channel_presence: ChannelPresenceRegistry
    rates: RateStore | None = None
    """What users may ask on all nodes together; without it each node counts by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeOptions:
    """The options of its parts."""

    namespaces: Namespaces = field(default_factory=Namespaces)
    connecting: ConnectingOptions = field(default_factory=ConnectingOptions)
    connections: ConnectionOptions = field(default_factory=ConnectionOptions)
    rates: RateOptions = field(default_factory=RateOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    gateway: GatewayOptions = field(default_factory=GatewayOptions)
    gate: GateOptions = field(default_factory=GateOptions)
    hub: HubOptions = field(default_factory=HubOptions)
    recovery: RecoveryOptions = field(default_factory=RecoveryOptions)
    presence: PresenceOptions = field(default_factory=PresenceOptions)
    nodes: NodeOptions = field(default_factory=NodeOptions)
    insecure: bool = False


class RealtimeParts:
    """Everything that connections of one node need, and the workers that keep it going."""

    def __init__(
        self,
        ports: Ports,
        options: RealtimeOptions,
        *,
        version: str,
        node_name: str,
        measures: Callable[[], Mapping[str, float]],
        operations: Sequence[AnyOperation] = (),
        on_send: Callable[[Principal, bytes], None] | None = None,
    ) -> None:
        clock, metrics, bus = ports.clock, ports.metrics, ports.bus
        namespaces = options.namespaces
        self.streams = ChannelStreams(
            ports.messages, ports.publications, namespaces=namespaces, clock=clock
        )
        self.access = Access(
            ports.conversations,
            namespaces,
            gatherings=ports.gatherings,
            insecure=options.insecure,
        )
        self.publishing = Publishing(
            store=ports.publications, bus=bus, namespaces=namespaces, clock=clock
        )
        self.departures = Departures(frame_io(compiled=options.wire.compiled))
        self.wheel = TimerWheel(clock=clock)
        self.following = Following(
            streams=self.streams,
            departures=self.departures,
            clock=clock,
            metrics=metrics,
            options=options.hub,
        )
        self.keeper = connection_keeper(ports.presence, clock=clock, options=options.presence)
        self.channel_keeper = channel_keeper(
            ports.channel_presence, clock=clock, options=options.presence
        )
        self.attendances = Attendances(bus=bus, keeper=self.channel_keeper)
        self.vanishings = Vanishings(
            ports.outbox, clock=clock, unheard_seconds=options.connections.unheard_seconds()
        )
        self.hub = Hub(
            node_id=ports.node_id,
            bus=bus,
            following=self.following,
            clock=clock,
            metrics=metrics,
            attendances=self.attendances,
        )
        self.catchup = CatchUp(
            hub=self.hub,
            following=self.following,
            streams=self.streams,
            outbox=ports.outbox,
            access=self.access,
            clock=clock,
            metrics=metrics,
        )
        self.nodes = Nodes(
            node_id=ports.node_id,
            node_name=node_name,
            version=version,
            counts=self.hub.counts,
            measures=measures,
            bus=bus,
            clock=clock,
            metrics=metrics,
            options=options.nodes,
        )
        self.surveys = Surveys(nodes=self.nodes, bus=bus, metrics=metrics)
        self.sessions = Sessions(node_id=ports.node_id, bus=bus, may_live=self.nodes.may_live)
        self.hub.confidants += [self.nodes.take, self.surveys.take, self.sessions.take]
        self.attendance = AttendanceBook(
            access=self.access,
            presences=Presences(ports.presence),
            channels=ports.channel_presence,
        )
        self.history = History(
            self.streams,
            limit=options.recovery.publications,
            most_bytes=options.recovery.recovered_bytes,
        )
        self.gate = Gate(options.gate)
        self.commands = self._commands(ports, options, version, operations, on_send)
        self.gateway = Gateway(
            hub=self.hub,
            host=self.commands,
            departures=self.departures,
            wheel=self.wheel,
            clock=clock,
            wire_options=options.wire,
            options=options.gateway,
        )

    @property
    def workers(self) -> list[Worker]:
        """What must run while there are connections; the hub comes first."""
        return [
            self.hub,
            self.catchup,
            self.wheel,
            self.keeper,
            self.channel_keeper,
            self.vanishings,
            self.nodes,
            self.surveys,
        ]

    def _commands(
        self,
        ports: Ports,
        options: RealtimeOptions,
        version: str,
        operations: Sequence[AnyOperation],
        on_send: Any,
    ) -> Commands:
        called, named = [each for each in operations if each.by_rpc], f"zaffa {version}"
        table = RateTable(options.rates.user)
        store = ports.rates or MemoryRates(ports.clock)
        user_rates = UserRates(table, store, metrics=ports.metrics) if table else None
        doors = Doors(
            access=self.access,
            namespaces=options.namespaces,
            verifier=ports.subscription_tokens,
        )
        recoveries = Recoveries(
            hub=self.hub, streams=self.streams, metrics=ports.metrics, options=options.recovery
        )
        subscriptions = Subscriptions(
            hub=self.hub,
            attendances=self.attendances,
            following=self.following,
            doors=doors,
            recoveries=recoveries,
            clock=ports.clock,
        )
        server_side = ServerSide(
            hub=self.hub,
            following=self.following,
            doors=doors,
            recoveries=recoveries,
            subscriptions=subscriptions,
            limit=options.connections.channels,
            most_bytes=options.recovery.recovered_bytes,
        )
        connecting = Connecting(
            version=named,
            verifier=ports.tokens,
            hub=self.hub,
            attendances=self.attendances,
            server_side=server_side,
            keeper=self.keeper,
            namespaces=options.namespaces,
            gate=self.gate,
            clock=ports.clock,
            channels=options.connections.channels,
            options=options.connecting,
            user_rates=user_rates,
        )
        return Commands(
            connecting=connecting,
            procedures=Procedures(each for each in called if each.scope is None),
            back_ends=BackEnds(
                keys=ports.api_keys,
                count=ports.count,
                procedures=Procedures(each for each in called if each.scope is not None),
                version=named,
            ),
            hub=self.hub,
            subscriptions=subscriptions,
            doors=doors,
            publishing=self.publishing,
            history=self.history,
            attendance=self.attendance,
            keeper=self.keeper,
            vanishings=self.vanishings,
            wheel=self.wheel,
            clock=ports.clock,
            metrics=ports.metrics,
            connection_options=options.connections,
            gate=self.gate,
            rate_options=options.rates,
            user_rates=user_rates,
            on_send=on_send,
        )
