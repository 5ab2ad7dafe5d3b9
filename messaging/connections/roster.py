"""Who is connected to this node: by user, and whom an order means."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

from kernel.ids import UserId
from kernel.metrics import Metrics
from messaging.connections.connection import Connection
from messaging.connections.label_filters import fits
from messaging.connections.labels import labels_of
from messaging.nodes.control import Addressed

CROWD = 8
"""From so many connections on, those of one user are kept so that each leaves at once.

Clients that do not say who they are, are all of one user. Others have few, in less memory.
"""


class Roster:
    """Every live connection of this node, whether or not it said who it is."""

    def __init__(self, metrics: Metrics) -> None:
        self.connections: dict[Connection, None] = {}
        self._by_user: dict[UserId, tuple[Connection, ...] | dict[Connection, None]] = {}
        self._by_transport: dict[str, int] = {}
        self._connected = metrics.gauge(
            "messaging_connections", "Live connections of this node.", ["transport"]
        )

    def __iter__(self) -> Iterator[Connection]:
        """All of them, safe against those who leave meanwhile."""
        return iter(list(self.connections))

    def opened(self, connection: Connection) -> None:
        """There is a new connection; who it is remains to be seen."""
        self.connections[connection] = None
        transport = connection.wire.transport
        if transport not in self._by_transport:
            self._by_transport[transport] = 0
            # Looked at when somebody asks, which is seldom.
            count = partial(self._by_transport.__getitem__, transport)
            self._connected.labels(transport).set_function(count)
        self._by_transport[transport] += 1

    def enter(self, connection: Connection) -> None:
        """A connection said who it is."""
        user_id = connection.user_id
        assert user_id is not None, "only a connection that is accepted can enter"
        there = self._by_user.get(user_id, ())
        if isinstance(there, dict):
            there[connection] = None
        elif len(there) < CROWD:
            self._by_user[user_id] = (*there, connection)
        else:
            self._by_user[user_id] = dict.fromkeys((*there, connection))
        if connection.wire.departures.tap is not None:
            connection.wire.departures.tap.entered(connection)

    def leave(self, connection: Connection) -> None:
        """A connection is over."""
        if connection in self.connections:
            del self.connections[connection]
            self._by_transport[connection.wire.transport] -= 1
        if connection.user_id is not None:
            self._leave(connection.user_id, connection)

    def _leave(self, user_id: UserId, connection: Connection) -> None:
        there = self._by_user.get(user_id, ())
        if isinstance(there, dict):
            there.pop(connection, None)
        else:
            there = tuple(each for each in there if each is not connection)
            self._by_user[user_id] = there
        if not there:
            self._by_user.pop(user_id, None)

    def of_user(self, user_id: UserId) -> tuple[Connection, ...]:
        """The connections of a user."""
        return tuple(self._by_user.get(user_id, ()))

    @property
    def users(self) -> int:
        """How many users are connected."""
        return len(self._by_user)

    def user_ids(self) -> Collection[UserId]:
        """The users who are connected."""
        return self._by_user.keys()

    def meant_by(self, order: Addressed) -> list[Connection]:
        """The connections that an order is about."""
        meant: Iterable[Connection] = self.of_user(order.user_id)
        if order.everybody and not order.user_id:
            meant = [each for each in self if each.user_id is not None]
        return [
            each
            for each in meant
            if order.client in ("", each.client)
            and order.session in ("", each.wire.session)
            and _passes(each, order)
        ]

    def listeners(self, channels: Collection[str] | None) -> Mapping[str, frozenset[UserId]]:
        """The users who listen to each of some channels, or are about to; None is all of them."""
        found: dict[str, set[UserId]] = defaultdict(set)
        for user_id, connections in self._by_user.items():
            for connection in connections:
                for channel in connection.subscriptions or ():
                    if channels is None or channel in channels:
                        found[channel].add(user_id)
        return {channel: frozenset(user_ids) for channel, user_ids in found.items()}


def _passes(connection: Connection, order: Addressed) -> bool:
    if order.label_filter is None:
        return True
    principal = connection.principal
    return principal is not None and fits(order.label_filter, labels_of(principal))
