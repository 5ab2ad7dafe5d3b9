"""The node's table of who listens to what; relays publications from the bus to connections."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from kernel.bus import Bus, Gap, Listener, Publication
from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.workers import Stop
from messaging.channels.grants import Grant, Subscription
from messaging.connections.connection import Connection
from messaging.connections.roster import Roster
from messaging.delivery.following import Following
from messaging.delivery.live import LiveChannel
from messaging.nodes import control
from messaging.presence.attendance import Attendances
from messaging.protocol.codes import (
    DisconnectCode,
    ErrorCode,
    UnsubscribeCode,
    disconnect_reason,
    unsubscribe_reason,
)
from messaging.refusals import Declined
from messaging.types import NodeCounts

log = logging.getLogger(__name__)


class Hub:
    """Relays by offset: next goes out, stale is dropped, early means that the log knows more.

    What it finds lying behind the log is left to `CatchUp`.
    """

    name = "hub"

    def __init__(
        self,
        *,
        node_id: str,
        bus: Bus,
        following: Following,
        clock: Clock,
        metrics: Metrics,
        attendances: Attendances | None = None,
    ) -> None:
        self.roster = Roster(metrics)
        self.subscribing: Callable[[Connection, control.Subscribe], None] = _nobody_subscribes
        """Who subscribes connections on the server's side."""
        self.refreshing: Callable[[Connection, control.Refresh], None] = _nobody_refreshes
        """Who moves when connections expire."""
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
        self._attendances = attendances
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
        metrics.gauge(
            "messaging_subscriptions", "Subscriptions of this node's connections."
        ).set_function(lambda: self._subscribed)

    # --- the bus -------------------------------------------------------------------------------

    async def run(self, stop: Stop) -> None:
        """Relay what the bus brings, until `stop` is asked."""
        async with self._bus.listen() as listener:
            await self._following.begin(listener, control=self._control)
            self.unchecked = True
            self._following.pulse.beat()
            both = hearing, _ = (
                asyncio.create_task(self._listen(listener)),
                asyncio.create_task(stop.wait()),
            )
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if hearing.done():
                    hearing.result()
            finally:
                self._following.end()
                for each in both:
                    each.cancel()
                await asyncio.wait(both)

    async def _listen(self, listener: Listener) -> None:
        async for news in listener:
            self.relay(news)

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
        for connection in self.roster.meant_by(order):
            match order:
                case control.Disconnect(code=code, reason=reason, spared=spared):
                    if connection.client not in spared:
                        connection.disconnect(code, reason or disconnect_reason(code))
                case control.Unsubscribe(channel=channel, code=code, reason=reason):
                    for each in [channel] if channel else list(connection.subscriptions or ()):
                        self.dismiss(connection, each, code, reason)
                case control.Subscribe():
                    self.subscribing(connection, order)
                case control.Refresh():
                    self.refreshing(connection, order)

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

    @property
    def connections(self) -> dict[Connection, None]:
        """Every live connection of this node."""
        return self.roster.connections

    def leave(self, connection: Connection) -> None:
        """A connection is over."""
        for channel, subscription in (connection.subscriptions or {}).items():
            self._discard(connection, channel, subscription)
        connection.subscriptions = None
        if connection.wire.departures.tap is not None:
            connection.wire.departures.tap.left(connection)
        self.roster.leave(connection)

    def counts(self) -> NodeCounts:
        """How much this node holds."""
        return NodeCounts(
            clients=len(self.connections),
            users=self.roster.users,
            subscriptions=self._subscribed,
            channels=len(self._following),
        )

    # --- subscriptions -------------------------------------------------------------------------

    def reserve(
        self, connection: Connection, channel: str, *, server_side: bool = False
    ) -> Subscription:
        """A subscription is being set up: from now on orders to end it are heeded."""
        subscription = Subscription(server_side=server_side)
        if connection.subscriptions is None:
            connection.subscriptions = {channel: subscription}
        else:
            connection.subscriptions[channel] = subscription
        return subscription

    def check_joinable(
        self, live: LiveChannel, connection: Connection, subscription: Subscription
    ) -> None:
        """Refuse unless `join` can be called in this same turn.

        Raises `Unavailable` if the channel lost its place meanwhile, `Declined` if the
        subscription, or its connection, was ended while it was being set up.
        """
        if self._following.find(live.name) is not live:
            raise Unavailable("The channel is being opened anew.")
        still_wanted = (connection.subscriptions or {}).get(live.name) is subscription
        if not (still_wanted and connection.is_open):
            raise Declined(ErrorCode.PERMISSION_DENIED)

    def join(
        self, live: LiveChannel, connection: Connection, subscription: Subscription, grant: Grant
    ) -> None:
        """Let what comes from now on go to a connection whose client was just answered."""
        assert connection.subscriptions is not None, "a subscription is reserved first"
        # The channel's own text as the key is shared by all who listen.
        del connection.subscriptions[live.name]
        connection.subscriptions[live.name] = subscription
        subscription.complete = True
        subscription.grant = grant
        live.add(connection, delta=grant.delta, hears_attendance=grant.hears_attendance)
        self._subscribed += 1
        if grant.expires_at is not None:
            seconds = (grant.expires_at - self._clock.now()).total_seconds()
            connection.expire_subscription(subscription, seconds)
        if self._attendances is not None:
            self._attendances.came(connection, live.name, grant)
        if connection.wire.departures.tap is not None:
            connection.wire.departures.tap.joined(connection, live.name)

    def quit(self, connection: Connection, channel: str) -> None:
        """End a subscription, or the setting up of one; nothing is told to the client."""
        if connection.subscriptions is not None and channel in connection.subscriptions:
            self._discard(connection, channel, connection.subscriptions.pop(channel))
            if not connection.subscriptions:
                connection.subscriptions = None

    def dismiss(self, connection: Connection, channel: str, code: int, reason: str = "") -> None:
        """End a subscription and tell the client why; one being set up finds itself ended.

        Clients do not subscribe again by themselves where the server did it, so for that they
        have to connect again.
        """
        subscription = (connection.subscriptions or {}).get(channel)
        if subscription is None:
            return
        self.quit(connection, channel)
        if not subscription.complete:
            return
        if subscription.server_side and code >= UnsubscribeCode.INSUFFICIENT_STATE:
            expired = code == UnsubscribeCode.EXPIRED
            connection.disconnect(
                DisconnectCode.SUBSCRIPTION_EXPIRED
                if expired
                else DisconnectCode.INSUFFICIENT_STATE
            )
        else:
            connection.unsubscribed(channel, code, reason or unsubscribe_reason(code))

    def restart(self, live: LiveChannel) -> None:
        """What was missed cannot be made up: everybody who listens must subscribe anew."""
        log.warning("channel lost its place", extra={"channel": live.name})
        self._restarts.inc()
        for connection in live:
            self.dismiss(connection, live.name, UnsubscribeCode.INSUFFICIENT_STATE)
        self._following.forget(live)

    def _discard(self, connection: Connection, channel: str, subscription: Subscription) -> None:
        live = self._following.find(channel)
        if live is not None and connection in live.listeners:
            live.discard(connection, now=self._clock.monotonic())
            self._subscribed -= 1
            if connection.wire.departures.tap is not None:
                connection.wire.departures.tap.quit(connection, channel)
        if subscription.complete and self._attendances is not None:
            self._attendances.went(connection, channel, subscription.grant)


def _nobody_subscribes(_connection: Connection, _order: control.Subscribe) -> None:
    """Until somebody does."""


def _nobody_refreshes(_connection: Connection, _order: control.Refresh) -> None:
    """Until somebody does."""
