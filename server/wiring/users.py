"""What is known of users and stands against them, wired."""

from functools import partial

from messaging import connection_routes
from messaging.adapters.sql_restrictions import SqlRestrictions
from messaging.adapters.sql_statuses import SqlAcquaintances, SqlStatuses
from messaging.api.users import ApiUsers
from messaging.connections.connections import Connections
from messaging.ports import PresenceRegistry
from messaging.standing import routes as user_routes
from messaging.standing.activity import Activity
from messaging.standing.checks import CheckedTokens, Standing
from messaging.standing.expulsion import Expulsion
from messaging.standing.sanctions import Sanctions
from messaging.standing.sightings import Sightings
from messaging.standing.statuses import Statuses
from messaging.tracing import routes as trace_routes
from messaging.tracing.tracer import Tracer
from messaging.tracing.traces import Tracing
from server.wiring.ground import Ground
from server.wiring.realtime import RealtimeParts


class Users:
    """Statuses, blocks and revocations, on any role."""

    def __init__(self, ground: Ground, *, registry: PresenceRegistry) -> None:
        settings = ground.settings
        self._ground = ground
        self._store = SqlStatuses(ground.database)
        restrictions = SqlRestrictions(ground.database)
        self.standing = Standing(
            restrictions, clock=ground.clock, metrics=ground.metrics, options=settings.standing
        )
        self.tokens = CheckedTokens(ground.tokens, self.standing)
        """Access tokens of those against whom nothing stands."""
        self.subscription_tokens = CheckedTokens(ground.subscription_tokens, self.standing)
        self._sanctions = Sanctions(restrictions, bus=ground.bus, clock=ground.clock)
        self._activity = Activity(
            self._store, clock=ground.clock, write_seconds=settings.status.write_seconds
        )
        self._connections = Connections(node_id=ground.node_id, bus=ground.bus)
        ground.operations += connection_routes.operations(self._connections)
        self._tracing = Tracing(node_id=ground.node_id, bus=ground.bus, clock=ground.clock)
        ground.operations += trace_routes.operations(self._tracing)
        statuses = Statuses(
            self._store,
            registry=registry,
            acquaintances=SqlAcquaintances(ground.database),
            clock=ground.clock,
            options=settings.status,
        )
        self.api = ApiUsers(
            statuses=statuses, sanctions=self._sanctions, connections=self._connections
        )
        ground.operations += user_routes.operations(
            statuses=statuses,
            activity=self._activity,
            sanctions=self._sanctions,
        )

    def gateway(self, parts: RealtimeParts) -> None:
        """What a node with connections does for them."""
        ground, standing, hub = self._ground, self.standing, parts.hub
        expulsion = Expulsion(hub, clock=ground.clock, metrics=ground.metrics)
        standing.on_change.append(expulsion.tell)
        hub.confidants.append(standing.take)
        self._sanctions.look_here = standing.look
        tracer = Tracer(
            node_id=ground.node_id,
            roster=hub.roster,
            departures=parts.departures,
            bus=ground.bus,
            clock=ground.clock,
            metrics=ground.metrics,
        )
        self._tracing.serve(leaving=lambda: parts.gateway.draining)
        hub.confidants += [tracer.take, self._tracing.take]
        self._connections.serve(hub.roster, parts.surveys, pause=partial(ground.clock.sleep, 0))
        ground.parts.append(standing)
        ground.workers += [
            standing,
            expulsion,
            tracer,
            self._activity,
            Sightings(
                self._store,
                node_id=ground.node_id,
                users=hub.roster.user_ids,
                clock=ground.clock,
                options=ground.settings.status,
            ),
        ]
