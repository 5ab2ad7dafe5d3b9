"""Setting up a subscription: may they, where is the channel, what did they miss."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from math import inf

from kernel.bus import Publication, StreamPosition
from kernel.clock import Clock
from messaging.channels.grants import Grant
from messaging.channels.names import conversation_of, event_of
from messaging.commands.doors import Doors
from messaging.connections.connection import Connection
from messaging.delivery.extras import value_of
from messaging.delivery.following import Following
from messaging.delivery.live import LiveChannel
from messaging.hub import Hub
from messaging.presence.attendance import Attendances
from messaging.protocol.codes import (
    DisconnectCode,
    ErrorCode,
    ProtocolViolation,
    UnsubscribeCode,
)
from messaging.protocol.frames import Command
from messaging.protocol.requests import SubRefreshRequest, SubscribeRequest
from messaging.protocol.results import SubRefreshResult, SubscribeResult
from messaging.recovery.recovering import Gathered, Recoveries
from messaging.refusals import Declined

YEAR = 365 * 24 * 3600
"""Clients keep their timers in milliseconds; a longer time to live overflows them."""


class Subscriptions:
    """Reserves, asks, follows, recovers, answers and joins; the last two in one turn."""

    def __init__(
        self,
        *,
        hub: Hub,
        attendances: Attendances,
        following: Following,
        doors: Doors,
        recoveries: Recoveries,
        clock: Clock,
    ) -> None:
        self._hub = hub
        self._attendances = attendances
        self._following = following
        self._doors = doors
        self._recoveries = recoveries
        self._clock = clock

    def is_quick(self, request: SubscribeRequest) -> bool:
        """Whether `subscribe` waits for nothing: nobody is asked, and nothing looked up."""
        live = self._following.find(request.channel)
        return (
            live is not None
            and live.ready.done()
            and not (request.token or request.recover)
            and conversation_of(request.channel) is None
            and event_of(request.channel) is None
        )

    async def subscribe(
        self, connection: Connection, command: Command, request: SubscribeRequest
    ) -> None:
        """Answer a subscribe and let the channel's publications follow.

        Raises `Declined`, `ProtocolViolation` or `Unavailable`, and then nothing of the
        subscription is left.
        """
        if request.channel in (connection.subscriptions or {}):
            # The application was faster, while this waited for its turn.
            raise Declined(ErrorCode.ALREADY_SUBSCRIBED)
        subscription = self._hub.reserve(connection, request.channel)
        joined = False
        try:
            grant = await self._doors.for_client(connection, request)
            live = await self._following.open(request.channel)
            gathered: Gathered | None = None
            if request.recover and grant.recoverable:
                since = StreamPosition(request.offset, request.epoch)
                gathered = await self._recoveries.gather(live, since)
            result = self.result(connection, live, grant, request, gathered)
            # Where nothing can ever be recovered, clients would load their state for ever.
            in_vain = request.recover and grant.recoverable and not result.recovered
            if in_vain and request.rejects_unrecovered:
                raise Declined(ErrorCode.UNRECOVERABLE_POSITION)
            self._hub.check_joinable(live, connection, subscription)
            connection.reply(command, result)
            self._hub.join(live, connection, subscription, grant)
            joined = True
        finally:
            if not joined and (connection.subscriptions or {}).get(request.channel) is subscription:
                self._hub.quit(connection, request.channel)

    async def refresh(
        self, connection: Connection, command: Command, request: SubRefreshRequest
    ) -> None:
        """Answer `sub_refresh`: the subscription goes on with another token.

        Raises `Declined`, `ProtocolViolation` or `Unavailable`.
        """
        try:
            token = await self._doors.token(connection, request.token)
        except Declined as declined:
            if declined.code is ErrorCode.TOKEN_EXPIRED and request.channel:
                # Clients give up for good when this is all they hear; ended, they subscribe
                # again and ask their application for a fresh token.
                self._hub.dismiss(connection, request.channel, UnsubscribeCode.EXPIRED)
            raise
        # Old Python clients leave the channel out; the token names it.
        channel = request.channel or token.channel
        if token.channel != channel:
            raise ProtocolViolation(DisconnectCode.INVALID_TOKEN)
        subscription = (connection.subscriptions or {}).get(channel)
        if subscription is None or not subscription.complete:
            raise Declined(ErrorCode.PERMISSION_DENIED)
        if subscription.server_side:
            raise ProtocolViolation(DisconnectCode.BAD_REQUEST, "the server subscribed to this")
        now = self._clock.now()
        if token.expires_at is None:
            subscription.expires_at = inf
        else:
            connection.expire_subscription(subscription, (token.expires_at - now).total_seconds())
        if token.token_id != subscription.grant.token_id:
            subscription.grant = replace(subscription.grant, token_id=token.token_id)
        if token.info and token.info != subscription.grant.info:
            subscription.grant = replace(subscription.grant, info=token.info)
            self._attendances.known_as(connection, channel, subscription.grant)
        ttl = ttl_of(token.expires_at, now)
        connection.reply(command, SubRefreshResult(expires=ttl > 0, ttl=ttl))

    def result(
        self,
        connection: Connection,
        live: LiveChannel,
        grant: Grant,
        request: SubscribeRequest,
        gathered: Gathered | None,
    ) -> SubscribeResult:
        """The answer, valid until the next turn of the event loop."""
        recovered: Sequence[Publication] | None = None
        if request.recover and grant.recoverable:
            recovered = self._recoveries.complete(live, gathered)
        publications = [value_of(each) for each in recovered or ()]
        if grant.delta:
            publications = live.deltas.changes.chain(publications, connection.wire.codec)
        top = live.ordering.position if live.ordering is not None and grant.positioned else None
        ttl = ttl_of(grant.expires_at, self._clock.now()) if grant.expires_at else 0
        return SubscribeResult(
            expires=ttl > 0,
            ttl=ttl,
            recoverable=grant.recoverable and top is not None,
            positioned=top is not None,
            epoch=top.epoch if top else "",
            # Clients count up from the offset they asked for as they take what they missed.
            offset=(top.offset if top else 0) if recovered is None else request.offset,
            publications=tuple(publications),
            recovered=recovered is not None,
            was_recovering=request.recover,
            data=grant.data,
            delta=grant.delta,
        )


def ttl_of(expires_at: datetime | None, now: datetime) -> int:
    """Seconds until something needs a fresh token; 0 is never."""
    if expires_at is None:
        return 0
    return max(1, min(YEAR, math.ceil((expires_at - now).total_seconds())))
