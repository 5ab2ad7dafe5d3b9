"""`centrifuge-python` from PyPI, with the face that the JavaScript client has."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    DeltaType,
    SubscriptionEventHandler,
    UnauthorizedError,
)
from centrifuge.types import ClientInfo, Publication, StreamPosition

from tests.conformance.events import NEVER, ClientError, Events


class _Tokens:
    """Hands out one token after the other, and the last of them for ever."""

    def __init__(self, tokens: Sequence[str | None]) -> None:
        self.first, *rest = tokens
        self._waiting = rest or [self.first]

    def next(self) -> str:
        token = self._waiting.pop(0) if len(self._waiting) > 1 else self._waiting[0]
        if token is None:
            raise UnauthorizedError
        return token


class PythonClient(Events):
    """One client in the process of the tests."""

    def __init__(
        self, url: str, tokens: Sequence[str | None], *, protobuf: bool, options: dict[str, Any]
    ) -> None:
        super().__init__()
        self._protobuf = protobuf
        self._closing = asyncio.Event()
        given = _Tokens(tokens) if tokens else None

        async def get_token() -> str:
            await self.tell({"event": "token"})
            assert given is not None
            return await self._answered(given.next())

        if "data" in options:
            options["data"] = self._out(options["data"])
        self._client = Client(
            url,
            events=_ClientEvents(self),
            token=(given.first or "") if given else "",
            get_token=get_token if given else None,
            use_protobuf=protobuf,
            min_reconnect_delay=0.05,
            max_reconnect_delay=0.5,
            proxy=None,
            **options,
        )

    async def start(self) -> None:
        """Nothing to start: the client lives in this process."""

    async def do(self, action: str, **arguments: Any) -> Any:
        try:
            return await getattr(self, f"_do_{action}")(**arguments)
        except CentrifugeError as error:
            code = getattr(error, "code", -1)
            raise ClientError(code, getattr(error, "message", str(error))) from error

    async def close(self) -> None:
        await self._client.disconnect()
        self._closing.set()
        # The client closes its sockets behind our back; the test must not end before that.
        await asyncio.gather(*self._client._background_tasks, return_exceptions=True)

    async def _answered(self, token: str) -> str:
        if token == NEVER:
            await self._closing.wait()
        return token

    # --- what a test may ask for --------------------------------------------------------------

    async def _do_connect(self) -> None:
        await self._client.connect()

    async def _do_disconnect(self) -> None:
        await self._client.disconnect()

    async def _do_ready(self) -> None:
        await self._client.ready(timeout=5)

    async def _do_drop(self) -> None:
        """Cut the network beneath the client, as a tunnel or a lift would."""
        connection = self._client._conn
        assert connection is not None
        connection.transport.abort()

    async def _do_say(self, frame: str) -> None:
        """Say something that the client never would."""
        assert self._client._conn is not None
        await self._client._conn.send(frame)

    async def _do_mute(self) -> None:
        """The client believes that it answers, but nothing leaves it any more."""

        async def send(_: Any) -> None:
            """Nothing leaves."""

        self._client._conn.send = send

    async def _do_subscribe(
        self,
        channel: str,
        getState: Sequence[dict[str, Any]] = (),  # noqa: N803 - the clients' own word
        tokens: Sequence[str | None] = (),
        options: dict[str, Any] | None = None,
    ) -> None:
        given = _Tokens(tokens) if tokens else None
        states = list(getState)

        async def get_token(_channel: str) -> str:
            await self.tell({"event": "subscription-token", "channel": channel})
            assert given is not None
            return await self._answered(given.next())

        async def state(_channel: str) -> StreamPosition:
            await self.tell({"event": "state", "channel": channel})
            return StreamPosition(**(states.pop(0) if len(states) > 1 else states[0]))

        wanted = dict(options or {})
        subscription = self._client.new_subscription(
            channel,
            events=_SubscriptionEvents(self, channel),
            token=(given.first or "") if given else "",
            get_token=get_token if given else None,
            data=self._out(wanted["data"]) if "data" in wanted else None,
            min_resubscribe_delay=0.05,
            max_resubscribe_delay=0.5,
            positioned=wanted.get("positioned", False),
            recoverable=wanted.get("recoverable", False),
            join_leave=wanted.get("joinLeave", False),
            delta=DeltaType(wanted["delta"]) if "delta" in wanted else None,
            get_state=state if states else None,
        )
        await subscription.subscribe()

    async def _do_unsubscribe(self, channel: str) -> None:
        subscription = self._client.get_subscription(channel)
        assert subscription is not None
        await subscription.unsubscribe()

    async def _do_resubscribe(self, channel: str) -> None:
        subscription = self._client.get_subscription(channel)
        assert subscription is not None
        await subscription.subscribe()

    async def _do_rpc(self, method: str, data: Any = None) -> dict[str, Any]:
        result = await self._client.rpc(method, self._out(data))
        return {"data": self.into(result.data)}

    async def _do_publish(self, channel: str, data: Any) -> None:
        await self._client.publish(channel, self._out(data))

    async def _do_history(self, channel: str, options: dict[str, Any]) -> dict[str, Any]:
        since = options.get("since")
        result = await self._client.history(
            channel,
            limit=options.get("limit", 0),
            since=StreamPosition(**since) if since else None,
            reverse=options.get("reverse", False),
        )
        return {
            "epoch": result.epoch,
            "offset": result.offset,
            "publications": [self.shown(each) for each in result.publications],
        }

    async def _do_presence(self, channel: str) -> dict[str, Any]:
        result = await self._client.presence(channel)
        return {client: self.info(info) for client, info in result.clients.items()}

    async def _do_presenceStats(self, channel: str) -> dict[str, Any]:  # noqa: N802
        result = await self._client.presence_stats(channel)
        return {"clients": result.num_clients, "users": result.num_users}

    # --- from and into the library's words ----------------------------------------------------

    def _out(self, data: Any) -> Any:
        return json.dumps(data).encode() if self._protobuf else data

    def into(self, data: Any) -> Any:
        if not self._protobuf:
            return data
        return json.loads(data) if data else None

    def info(self, info: ClientInfo | None) -> dict[str, Any] | None:
        if info is None:
            return None
        told = {"user": info.user, "client": info.client}
        return told | {
            name: self.into(value)
            for name, value in (("conn", info.conn_info), ("chan", info.chan_info))
            if value
        }

    def shown(self, publication: Publication) -> dict[str, Any]:
        return {
            "offset": publication.offset,
            "data": self.into(publication.data),
            "info": self.info(publication.info),
            "tags": dict(publication.tags or {}),
        }


class _ClientEvents(ClientEventHandler):
    def __init__(self, told: PythonClient) -> None:
        self._told = told

    async def _tell(self, name: str, **values: Any) -> None:
        await self._told.tell({"event": name, **values})

    async def on_connecting(self, ctx: Any) -> None:
        await self._tell("connecting", code=ctx.code, reason=ctx.reason)

    async def on_connected(self, ctx: Any) -> None:
        await self._tell("connected", client=ctx.client, version=ctx.version)

    async def on_disconnected(self, ctx: Any) -> None:
        await self._tell("disconnected", code=ctx.code, reason=ctx.reason)

    async def on_error(self, ctx: Any) -> None:
        await self._tell("error", code=ctx.code, message=str(ctx.error))

    async def on_subscribing(self, ctx: Any) -> None:
        await self._tell("server-subscribing", channel=ctx.channel)

    async def on_subscribed(self, ctx: Any) -> None:
        await self._tell("server-subscribed", **_subscribed(ctx, self._told))

    async def on_unsubscribed(self, ctx: Any) -> None:
        await self._tell("server-unsubscribed", channel=ctx.channel)

    async def on_publication(self, ctx: Any) -> None:
        shown = self._told.shown(ctx.pub)
        await self._tell("server-publication", channel=ctx.channel, **shown)

    async def on_join(self, ctx: Any) -> None:
        info = self._told.info(ctx.info)
        await self._tell("server-join", channel=ctx.channel, user=ctx.info.user, info=info)

    async def on_leave(self, ctx: Any) -> None:
        info = self._told.info(ctx.info)
        await self._tell("server-leave", channel=ctx.channel, user=ctx.info.user, info=info)


class _SubscriptionEvents(SubscriptionEventHandler):
    def __init__(self, told: PythonClient, channel: str) -> None:
        self._told = told
        self._channel = channel

    async def _tell(self, name: str, **values: Any) -> None:
        await self._told.tell({"event": name, "channel": self._channel, **values})

    async def on_subscribing(self, ctx: Any) -> None:
        await self._tell("subscribing", code=ctx.code, reason=ctx.reason)

    async def on_subscribed(self, ctx: Any) -> None:
        await self._told.tell({"event": "subscribed", **_subscribed(ctx, self._told)})

    async def on_unsubscribed(self, ctx: Any) -> None:
        await self._tell("unsubscribed", code=ctx.code, reason=ctx.reason)

    async def on_publication(self, ctx: Any) -> None:
        await self._tell("publication", **self._told.shown(ctx.pub))

    async def on_join(self, ctx: Any) -> None:
        await self._tell("join", user=ctx.info.user, info=self._told.info(ctx.info))

    async def on_leave(self, ctx: Any) -> None:
        await self._tell("leave", user=ctx.info.user, info=self._told.info(ctx.info))

    async def on_error(self, ctx: Any) -> None:
        await self._tell("subscription-error", code=ctx.code, message=str(ctx.error))


def _subscribed(ctx: Any, told: PythonClient) -> dict[str, Any]:
    position = ctx.stream_position
    return {
        "channel": ctx.channel,
        "recovered": ctx.recovered,
        "wasRecovering": ctx.was_recovering,
        "recoverable": ctx.recoverable,
        "positioned": ctx.positioned,
        "streamPosition": vars(position) if position else None,
        "data": told.into(ctx.data),
    }
