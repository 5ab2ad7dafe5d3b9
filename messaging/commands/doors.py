"""Who is let into a channel, and with what: its namespace, a token, the server's word."""

from dataclasses import replace
from functools import lru_cache

from kernel.errors import TokenExpired, Unauthenticated
from kernel.identity import ANONYMOUS, TokenVerifier
from kernel.ids import UserId
from messaging.access import Access, Action, Answer
from messaging.channels.grants import CONVERSATION, Grant, Override, granted, with_what_came
from messaging.channels.names import conversation_of, is_name
from messaging.channels.namespaces import Namespaces
from messaging.connections.connection import Connection
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation
from messaging.protocol.requests import SubscribeRequest
from messaging.refusals import Declined
from messaging.tokens import SubscriptionToken, subscription_token

CHANNELS = 4096
"""Channels of which it is remembered what everybody gets who asks for them."""


class Doors:
    """Lets connections into channels, or declines in the protocol's words."""

    def __init__(self, *, access: Access, namespaces: Namespaces, verifier: TokenVerifier) -> None:
        self._access = access
        self._namespaces = namespaces
        self._verifier = verifier
        self._usual = lru_cache(CHANNELS)(self._usual_grant)

    async def for_client(self, connection: Connection, request: SubscribeRequest) -> Grant:
        """What a client gets that asks for a channel.

        Raises `Declined`, or `ProtocolViolation` for a token of somebody or something else.
        """
        if connection.user_id and _asks_for_nothing_more(request):
            usual = self._usual(request.channel)
            if usual is not None:
                return usual
        token = None
        if request.token:
            token = await self.token(connection, request.token)
            if token.channel != request.channel:
                raise ProtocolViolation(DisconnectCode.INVALID_TOKEN)
        user_id = connection.user_id or ANONYMOUS
        answer = await self._access.may_listen(
            user_id, request.channel, with_token=token is not None
        )
        _demand(answer)
        if conversation_of(request.channel) is not None:
            return CONVERSATION
        options = self._namespaces.options_of(request.channel)
        assert options is not None, "nobody is let into a channel that is unknown"
        grant = granted(
            options,
            override=token.override if token else None,
            positioned=request.positioned,
            recoverable=request.recoverable,
            join_leave=request.join_leave,
            delta=request.delta,
            reads=self._access.subscriber_may(Action.HISTORY, user_id, options),
            sees=self._access.subscriber_may(Action.PRESENCE, user_id, options),
        )
        if token is None:
            return grant
        came = with_what_came(grant, info=token.info, data=token.data, expires_at=token.expires_at)
        return replace(came, token_id=token.token_id) if token.token_id else came

    def _usual_grant(self, channel: str) -> Grant | None:
        """What every user gets who asks for a channel and nothing more; None asks who it is."""
        options = self._namespaces.options_of(channel)
        return granted(options) if options is not None and self._access.is_open(channel) else None

    async def by_server(
        self,
        user_id: UserId,
        channel: str,
        *,
        override: Override | None = None,
        info: bytes = b"",
        data: bytes = b"",
        asked: bool = False,
    ) -> Grant:
        """What a user's connection gets that the application subscribes to a channel.

        The application may let anybody into the channels of namespaces; who is in a
        conversation, and whose a personal channel is, we know ourselves. A client that `asked`
        for it needs the right. Raises `Declined`.
        """
        if not is_name(channel):
            raise Declined(ErrorCode.BAD_REQUEST)
        _demand(await self._access.may_listen(user_id, channel, with_token=not asked))
        if conversation_of(channel) is not None:
            return CONVERSATION
        options = self._namespaces.options_of(channel)
        assert options is not None, "nobody is let into a channel that is unknown"
        grant = granted(options, override=override)
        return with_what_came(grant, info=info, data=data, expires_at=None)

    async def demand(self, action: Action, connection: Connection, channel: str) -> None:
        """Decline unless the connection's user may do this in the channel."""
        subscription = (connection.subscriptions or {}).get(channel)
        _demand(
            await self._access.may(
                action,
                connection.user_id or ANONYMOUS,
                channel,
                subscribed=subscription is not None and subscription.complete,
            )
        )

    async def token(self, connection: Connection, text: str) -> SubscriptionToken:
        """A subscription token for the connection's user.

        Raises `Declined`, or `ProtocolViolation` if it is somebody else's.
        """
        try:
            token = await subscription_token(self._verifier, text)
        except TokenExpired:
            raise Declined(ErrorCode.TOKEN_EXPIRED) from None
        except Unauthenticated as error:
            raise Declined(ErrorCode.PERMISSION_DENIED, error.message) from None
        is_theirs = token.user_id == (connection.user_id or ANONYMOUS)
        if not is_theirs or token.client not in ("", connection.client):
            raise ProtocolViolation(DisconnectCode.INVALID_TOKEN)
        return token


def _asks_for_nothing_more(request: SubscribeRequest) -> bool:
    return not (
        request.token
        or request.positioned
        or request.recoverable
        or request.join_leave
        or request.delta
    )


_DECLINED = {
    Answer.UNKNOWN: ErrorCode.UNKNOWN_CHANNEL,
    Answer.DENIED: ErrorCode.PERMISSION_DENIED,
    Answer.MISNAMED: ErrorCode.BAD_REQUEST,
    Answer.UNAVAILABLE: ErrorCode.NOT_AVAILABLE,
}


def _demand(answer: Answer) -> None:
    if answer is not Answer.ALLOWED:
        raise Declined(_DECLINED[answer])
