"""Subscriptions on the server's side: what a token, or the application, decides for a client."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kernel.bus import StreamPosition
from kernel.errors import Refusal
from kernel.identity import ANONYMOUS
from kernel.ids import UserId
from messaging.channels.grants import Grant, Subscription
from messaging.commands.doors import Doors
from messaging.commands.subscriptions import Subscriptions
from messaging.connections.connection import Connection
from messaging.delivery.following import Following
from messaging.delivery.live import LiveChannel
from messaging.hub import Hub
from messaging.nodes.control import Subscribe
from messaging.protocol.requests import SubscribeRequest
from messaging.protocol.results import SubscribeResult
from messaging.protocol.server import Phase
from messaging.recovery.recovering import Gathered, Recoveries
from messaging.refusals import Declined
from messaging.tokens import ServerSubscription, payload_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A subscription that waits for nothing but its connection's client being told."""

    live: LiveChannel
    subscription: Subscription
    grant: Grant
    request: SubscribeRequest
    gathered: Gathered | None


class ServerSide:
    """Subscribes connections without their asking: when they connect, and on orders."""

    def __init__(
        self,
        *,
        hub: Hub,
        following: Following,
        doors: Doors,
        recoveries: Recoveries,
        subscriptions: Subscriptions,
        limit: int,
        most_bytes: int,
    ) -> None:
        """A client has at most `limit` channels, and one answer recovers at most `most_bytes`."""
        self._hub = hub
        self._following = following
        self._doors = doors
        self._recoveries = recoveries
        self._subscriptions = subscriptions
        self._limit = limit
        self._most_bytes = most_bytes
        self._subscribing: set[asyncio.Task[None]] = set()
        self._early: dict[Connection, list[Subscribe]] = {}
        """Orders about connections whose clients were not told yet that they are on."""
        hub.subscribing = self.obey

    # --- when a client connects ----------------------------------------------------------------

    async def prepare(
        self,
        connection: Connection,
        user_id: UserId,
        wanted: Mapping[str, ServerSubscription],
        positions: Mapping[str, SubscribeRequest],
    ) -> list[Prepared]:
        """Set up the channels of a connection that is about to be accepted.

        A channel that the user is not let into is left out: an old token shall not keep
        anybody offline. Raises `Unavailable`.
        """
        # Reserved at once: from here on orders to end them are heeded.
        reserved = {
            channel: self._hub.reserve(connection, channel, server_side=True) for channel in wanted
        }
        preparing = [
            self._prepare(
                connection,
                reserved[channel],
                user_id,
                channel,
                said,
                positions.get(channel) or SubscribeRequest(),
            )
            for channel, said in wanted.items()
        ]
        prepared = await asyncio.gather(*preparing)
        return [each for each in prepared if each is not None]

    def begin(
        self, connection: Connection, prepared: list[Prepared]
    ) -> tuple[dict[str, SubscribeResult], list[Prepared]]:
        """What to tell a client of its channels, and those to `join` in this same turn."""
        results: dict[str, SubscribeResult] = {}
        joining: list[Prepared] = []
        room = self._most_bytes
        for each in prepared:
            try:
                self._hub.check_joinable(each.live, connection, each.subscription)
            except Declined:  # An order ended it while the others were set up.
                continue
            result = self._result(connection, each)
            size = sum(len(publication.data) for publication in result.publications)
            if size > room:
                # All channels of a client share one answer, which clients refuse if it is huge.
                result = self._result(connection, replace(each, gathered=None))
            else:
                room -= size
            results[each.live.name] = result
            joining.append(each)
        return results, joining

    def join(self, connection: Connection, joining: list[Prepared]) -> None:
        """Let the channels' publications follow what the client was told."""
        for each in joining:
            self._hub.join(each.live, connection, each.subscription, each.grant)

    async def _prepare(
        self,
        connection: Connection,
        subscription: Subscription,
        user_id: UserId,
        channel: str,
        said: ServerSubscription,
        request: SubscribeRequest,
    ) -> Prepared | None:
        try:
            grant = await self._doors.by_server(
                user_id,
                channel,
                override=said.override,
                info=said.info,
                data=said.data,
                asked=said.asked,
            )
        except Declined as declined:
            if not said.asked:
                log.warning(
                    "channel of a token left out", extra={"channel": channel, "code": declined.code}
                )
            self._hub.quit(connection, channel)
            return None
        return await self._place(subscription, grant, channel, request)

    async def _place(
        self, subscription: Subscription, grant: Grant, channel: str, request: SubscribeRequest
    ) -> Prepared:
        live = await self._following.open(channel)
        gathered = None
        if request.recover and grant.recoverable:
            since = StreamPosition(request.offset, request.epoch)
            gathered = await self._recoveries.gather(live, since)
        return Prepared(live, subscription, grant, request, gathered)

    def _result(self, connection: Connection, each: Prepared) -> SubscribeResult:
        return self._subscriptions.result(
            connection, each.live, each.grant, each.request, each.gathered
        )

    # --- on orders -----------------------------------------------------------------------------

    @contextmanager
    def connecting(self, connection: Connection) -> Iterator[None]:
        """Until this is over, orders to subscribe the connection wait."""
        self._early[connection] = []
        try:
            yield
        finally:
            for order in self._early.pop(connection):
                self.obey(connection, order)

    def obey(self, connection: Connection, order: Subscribe) -> None:
        """Subscribe a connection because the application says so. Nobody waits for it."""
        if connection in self._early:
            self._early[connection].append(order)
            return
        task = asyncio.get_running_loop().create_task(self._obey(connection, order))
        self._subscribing.add(task)
        task.add_done_callback(self._subscribing.discard)

    async def _obey(self, connection: Connection, order: Subscribe) -> None:
        user_id, channel = connection.user_id or ANONYMOUS, order.channel
        there = connection.subscriptions or {}
        is_on = connection.is_open and connection.protocol.phase is Phase.CONNECTED
        if channel in there or not is_on:
            return
        if len(there) >= self._limit:
            log.warning("too many channels", extra={"channel": channel, "user_id": user_id})
            return
        subscription = self._hub.reserve(connection, channel, server_side=True)
        joined = False
        try:
            grant = await self._doors.by_server(
                user_id,
                channel,
                override=order.override,
                info=payload_of(order.info, ""),
                data=payload_of(order.data, ""),
            )
            if order.expire_at:
                grant = replace(grant, expires_at=datetime.fromtimestamp(order.expire_at, UTC))
            request = SubscribeRequest()
            if order.since is not None:
                offset, epoch = order.since
                request = SubscribeRequest(recover=True, offset=offset, epoch=epoch)
            prepared = await self._place(subscription, grant, channel, request)
            self._hub.check_joinable(prepared.live, connection, subscription)
            connection.subscribed(channel, self._result(connection, prepared))
            self._hub.join(prepared.live, connection, subscription, grant)
            joined = True
        except (Declined, Refusal, ValueError) as error:
            log.warning(
                "subscription by the server failed",
                extra={"channel": channel, "user_id": user_id, "error": str(error)},
            )
        finally:
            if not joined and (connection.subscriptions or {}).get(channel) is subscription:
                self._hub.quit(connection, channel)
