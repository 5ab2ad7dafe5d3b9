"""The node's table of who listens to what; relays publications from the bus to connections."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from kernel.bus import Bus, Gap, Publication
from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.workers import Stop
from messaging import control
from messaging.connection import Connection
from messaging.following import Following
from messaging.live import LiveChannel
from messaging.protocol.codes import DisconnectCode, UnsubscribeCode
from messaging.types import NodeCounts

log = logging.getLogger(__name__)


class Hub:
    """Relays by offset: next goes out, stale is dropped, early means that the log knows more.

    What it finds lying behind the log is left to `CatchUp`.
    """

    name = "hub"

    def __init__(
        self, *, node_id: str, bus: Bus, following: Following, clock: Clock, metrics: Metrics
    ) -> None:
        self.connections: dict[Connection, None] = {}
        """Every live connection of this node, whether or not it said who it is."""
        self.unchecked = False
        """Whether orders may have been missed, so that all listeners must be checked."""
        self.doubted: set[str] = set()
        """Channels that somebody lost the right to listen to; this node may not know who."""
        self.confidants: list[Callable[[Publication], None]] = []
        """Who takes what other nodes send here that is no order about connections."""
        self._control = frozenset({control.CONTROL, control.node_channel(node_id)})
        self._bus = bus
        self._following = following
        self._clock = clock
        self._by_user: dict[UserId, tuple[Connection, ...]] = {}
        self._relayed = metrics.counter(
            "messaging_publications_relayed_total", "Publications that went to listeners."
        )
        odd = metrics.counter(
            "messaging_publications_odd_total",
            "Publications that came early or stale, or belong to another epoch.",
            ["kind"],
        )
        self._early, self._stale, self._foreign = map(odd.labels, ("early", "stale", "foreign"))
        self._restarts = metrics.counter(
            "messaging_channel_restarts_total", "Channels that lost their place in their stream."
        )
        self._subscribed = 0
        self._subscriptions = metrics.gauge(
            "messaging_subscriptions", "Subscriptions of this node's connections."
        )
        self._connected = metrics.gauge(
            "messaging_connections", "Live connections of this node.", ["transport"]
        )

    # --- the bus -------------------------------------------------------------------------------

    async def run(self, stop: Stop) -> None:
        """Relay what the bus brings, until `stop` is asked."""
        async with self._bus.listen() as listener:
            await self._following.begin(listener, control=self._control)
            self.unchecked = True
            self._following.pulse.beat()
            stopping = asyncio.create_task(stop.wait())
            news = aiter(listener)
            hearing: asyncio.Future[list[Publication | Gap]] | None = None
            try:
                while not stop.asked:
                    hearing = asyncio.ensure_future(anext(news))
                    await asyncio.wait({hearing, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    if hearing.done():
                        self.relay(hearing.result())
            finally:
                self._following.end()
                unfinished = {each for each in (hearing, stopping) if each is not None}
                for each in unfinished:
                    each.cancel()
                await asyncio.wait(unfinished)

    def relay(self, news: Iterable[Publication | Gap]) -> None:
        """Give what the bus brought to those who listen; nothing here waits."""
        find = self._following.find
        for item in news:
            if isinstance(item, Gap):
                self._missed(item.channels)
            elif item.channel in self._control:
                self._confide(item)
            else:
                live = find(item.channel)
                if live is not None:
                    self.hear(live, item)

    def hear(self, live: LiveChannel, publication: Publication) -> None:
        """Give one publication its place in a channel."""
        position, ordering = publication.position, live.ordering
        if position is not None and ordering is not None:
            if position.epoch != ordering.epoch:
                self._foreign.inc()
                self._following.suspect([live])
                return
            if position.offset <= ordering.offset:
                self._stale.inc()
                return
            if position.offset > ordering.offset + 1:
                self._early.inc()
        went_out = live.hear(publication)
        if went_out:
            self._relayed.inc(went_out)
        if live.behind:
            self._following.lies_behind(live)

    def obey(self, order: control.Order) -> None:
        """Carry out what was ordered about a user's connections, here or on another node."""
        for connection in self._by_user.get(order.user_id, ()):
            if isinstance(order, control.Disconnect):
                connection.disconnect(order.code, _disconnect_reason(order.code))
            else:
                self.dismiss(connection, order.channel, order.code)

    def _confide(self, publication: Publication) -> None:
        order = control.order_of(publication)
        if order is not None:
            self.obey(order)
            return
        for take in self.confidants:
            take(publication)

    def _missed(self, channels: frozenset[str]) -> None:
        self._following.suspect([live for live in self._following if live.name in channels])
        if control.CONTROL in channels:
            self.unchecked = True
            self._following.pulse.beat()

    # --- connections ---------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """There is a new connection; who it is remains to be seen."""
        self.connections[connection] = None
        self._connected.labels(connection.wire.transport).inc()

    def enter(self, connection: Connection) -> None:
        """A connection said who it is."""
        user_id = connection.user_id
        assert user_id is not None, "only a connection that is accepted can enter"
        self._by_user[user_id] = (*self._by_user.get(user_id, ()), connection)
        if connection.wire.departures.tap is not None:
            connection.wire.departures.tap.entered(connection)

    def of_user(self, user_id: UserId) -> tuple[Connection, ...]:
        """A user's connections on this node."""
        return self._by_user.get(user_id, ())

    def leave(self, connection: Connection) -> None:
        """A connection is over."""
        for channel in connection.subscriptions or ():
            self._discard(connection, channel)
        connection.subscriptions = None
        if connection.wire.departures.tap is not None:
            connection.wire.departures.tap.left(connection)
        if connection in self.connections:
            del self.connections[connection]
            self._connected.labels(connection.wire.transport).dec()
        user_id = connection.user_id
        if user_id is not None:
            there = self._by_user.get(user_id, ())
            rest = tuple(each for each in there if each is not connection)
            if rest:
                self._by_user[user_id] = rest
            else:
                self._by_user.pop(user_id, None)

    def listeners(self, channels: Collection[str] | None) -> Mapping[str, frozenset[UserId]]:
        """The users who listen to each of some channels, or are about to; None is all of them."""
        found: dict[str, set[UserId]] = defaultdict(set)
        for user_id, connections in self._by_user.items():
            for connection in connections:
                for channel in connection.subscriptions or ():
                    if channels is None or channel in channels:
                        found[channel].add(user_id)
        return {channel: frozenset(user_ids) for channel, user_ids in found.items()}

    def counts(self) -> NodeCounts:
        """How much this node holds."""
        return NodeCounts(
            clients=len(self.connections),
            users=len(self._by_user),
            subscriptions=self._subscribed,
            channels=len(self._following),
        )

    # --- subscriptions -------------------------------------------------------------------------

    def reserve(self, connection: Connection, channel: str) -> None:
        """A subscription is being set up: from now on orders to end it are heeded."""
        if connection.subscriptions is None:
            connection.subscriptions = {channel: False}
        else:
            connection.subscriptions[channel] = False

    def join(
        self,
        live: LiveChannel,
        connection: Connection,
        answer: Callable[[], None],
        *,
        delta: bool = False,
    ) -> None:
        """Answer a subscription and let what comes afterwards follow, in this same turn.

        Raises `Unavailable` if the channel lost its place meanwhile.
        """
        assert connection.subscriptions is not None, "a subscription is reserved first"
        if self._following.find(live.name) is not live:
            raise Unavailable("The channel is being opened anew.")
        answer()
        # The channel's own text as the key is shared by all who listen.
        del connection.subscriptions[live.name]
        connection.subscriptions[live.name] = True
        live.add(connection, delta=delta)
        self._subscribed += 1
        self._subscriptions.set(self._subscribed)
        if connection.wire.departures.tap is not None:
            connection.wire.departures.tap.joined(connection, live.name)

    def quit(self, connection: Connection, channel: str) -> None:
        """End a subscription, or the setting up of one; nothing is told to the client."""
        if connection.subscriptions is not None and channel in connection.subscriptions:
            self._discard(connection, channel)
            del connection.subscriptions[channel]
            if not connection.subscriptions:
                connection.subscriptions = None

    def dismiss(self, connection: Connection, channel: str, code: int) -> None:
        """End a subscription and tell the client why; one being set up finds itself ended."""
        if connection.subscriptions is None or channel not in connection.subscriptions:
            return
        complete = connection.subscriptions[channel]
        self.quit(connection, channel)
        if complete:
            connection.unsubscribed(channel, code, _unsubscribe_reason(code))

    def restart(self, live: LiveChannel) -> None:
        """What was missed cannot be made up: everybody who listens must subscribe anew."""
        log.warning("channel lost its place", extra={"channel": live.name})
        self._restarts.inc()
        for connection in live:
            self.dismiss(connection, live.name, UnsubscribeCode.INSUFFICIENT_STATE)
        self._following.forget(live)

    def _discard(self, connection: Connection, channel: str) -> None:
        live = self._following.find(channel)
        if live is not None and connection in live.listeners:
            live.discard(connection, now=self._clock.monotonic())
            self._subscribed -= 1
            self._subscriptions.set(self._subscribed)
            if connection.wire.departures.tap is not None:
                connection.wire.departures.tap.quit(connection, channel)


def _unsubscribe_reason(code: int) -> str:
    return next((each.reason for each in UnsubscribeCode if each == code), "unsubscribed")


def _disconnect_reason(code: int) -> str:
    return next((each.reason for each in DisconnectCode if each == code), "disconnected")
