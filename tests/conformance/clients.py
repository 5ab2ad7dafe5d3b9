"""The official clients, unmodified, behind one face, so that one test judges with each of them."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    DeltaType,
    SubscriptionEventHandler,
)
from centrifuge.types import StreamPosition

from tests.support.node import install, node

HERE = Path(__file__).parent
PATIENCE = 15.0
"""Seconds to wait for an event before the test has failed."""


class ClientError(Exception):
    """The server's error reply, as the client reports it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Events:
    """What a client has told, and who waits for more of it.

    Both clients `do` what a test asks for, raise `ClientError` for an error reply, and are told
    to `close` in the end.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._read = 0
        self._news = asyncio.Condition()

    async def tell(self, event: dict[str, Any]) -> None:
        async with self._news:
            self.events.append(event)
            self._news.notify_all()

    async def event(self, name: str, **matching: Any) -> dict[str, Any]:
        """The next event of that name which has these values; earlier ones are passed over."""

        def found() -> dict[str, Any] | None:
            while self._read < len(self.events):
                event = self.events[self._read]
                self._read += 1
                if event["event"] == name and matching.items() <= event.items():
                    return event
            return None

        async with self._news:
            try:
                async with asyncio.timeout(PATIENCE):
                    while (event := found()) is None:
                        await self._news.wait()
                    return event
            except TimeoutError:
                raise AssertionError(
                    f"no event {name} {matching} in {PATIENCE} s; seen: {self.events[-20:]}"
                ) from None

    def offsets(self, channel: str) -> list[int]:
        """The offsets of the channel's publications, in the order they reached the app."""
        return [
            event["offset"]
            for event in self.events
            if event["event"] == "publication" and event["channel"] == channel
        ]


class JavaScriptClient(Events):
    """`centrifuge` from npm, in a Node.js process of its own.

    It connects to the WebSocket at `url`, or with the first of `transports` that works, where it
    says what it has to say at the address `emulation`.
    """

    def __init__(
        self,
        url: str,
        tokens: list[str],
        *,
        protobuf: bool,
        transports: Sequence[tuple[str, str]] = (),
        emulation: str = "",
    ) -> None:
        super().__init__()
        ways = [{"transport": name, "endpoint": endpoint} for name, endpoint in transports]
        form = "protobuf" if protobuf else "json"
        self._arguments = (url, form, json.dumps(tokens), json.dumps(ways), emulation)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def start(self) -> None:
        await asyncio.to_thread(install, HERE)
        self._process = await asyncio.create_subprocess_exec(
            node(),
            HERE / "client.mjs",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reading = asyncio.create_task(self._read_lines())
        await self.event("started")

    async def _read_lines(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "event" in said:
                await self.tell(said)
            elif "error" in said:
                self._answers.pop(said["id"]).set_exception(ClientError(**said["error"]))
            else:
                self._answers.pop(said["id"]).set_result(said["result"])

    async def do(self, action: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        command = {"id": self._number, "action": action, **arguments}
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading


class PythonClient(Events):
    """`centrifuge-python` from PyPI."""

    def __init__(self, url: str, tokens: list[str], *, protobuf: bool) -> None:
        super().__init__()
        self._tokens = list(tokens)
        self._protobuf = protobuf
        self._client = Client(
            url,
            events=_ClientEvents(self),
            token=self._tokens.pop(0) if self._tokens else "",
            get_token=self._token,
            use_protobuf=protobuf,
            min_reconnect_delay=0.05,
            max_reconnect_delay=0.5,
            proxy=None,
        )

    async def start(self) -> None:
        """Nothing to start: the client lives in this process."""

    async def _token(self) -> str:
        await self.tell({"event": "token"})
        if len(self._tokens) > 1:
            return self._tokens.pop(0)
        return self._tokens[0] if self._tokens else ""

    async def do(self, action: str, **arguments: Any) -> Any:
        try:
            return await getattr(self, f"_do_{action}")(**arguments)
        except CentrifugeError as error:
            code = getattr(error, "code", -1)
            raise ClientError(code, getattr(error, "message", str(error))) from error

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

    async def _do_subscribe(
        self,
        channel: str,
        getState: dict[str, Any] | None = None,  # noqa: N803 - the clients' own word
        tokens: list[str] | None = None,
        delta: str | None = None,
    ) -> None:
        left = list(tokens or ())

        async def token(_channel: str) -> str:
            await self.tell({"event": "subscription-token", "channel": channel})
            return left.pop(0) if len(left) > 1 else (left or [""])[0]

        async def state(_channel: str) -> StreamPosition:
            assert getState is not None
            await self.tell({"event": "state", "channel": channel})
            return StreamPosition(**getState)

        subscription = self._client.new_subscription(
            channel,
            events=_SubscriptionEvents(self, channel),
            token=left.pop(0) if left else "",
            get_token=token if tokens is not None else None,
            get_state=state if getState is not None else None,
            delta=DeltaType(delta) if delta else None,
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

    def _out(self, data: Any) -> Any:
        return json.dumps(data).encode() if self._protobuf else data

    def into(self, data: Any) -> Any:
        return json.loads(data) if self._protobuf and data else data

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
            "publications": [
                {"offset": each.offset, "data": self.into(each.data)}
                for each in result.publications
            ],
        }

    async def _do_presence(self, channel: str) -> dict[str, Any]:
        result = await self._client.presence(channel)
        return {"clients": {key: {"user": info.user} for key, info in result.clients.items()}}

    async def _do_presenceStats(self, channel: str) -> dict[str, Any]:  # noqa: N802
        result = await self._client.presence_stats(channel)
        return {"numClients": result.num_clients, "numUsers": result.num_users}

    async def close(self) -> None:
        await self._client.disconnect()
        # The client closes its sockets behind our back; the test must not end before that.
        await asyncio.gather(*self._client._background_tasks, return_exceptions=True)


KINDS = ("javascript-json", "javascript-protobuf", "python-json", "python-protobuf")


STREAMS = ("javascript-json-http_stream", "javascript-protobuf-http_stream", "javascript-json-sse")
"""Those that need no WebSocket."""


def client_of(
    kind: str, url: str, tokens: list[str], *, elsewhere: str = ""
) -> JavaScriptClient | PythonClient:
    """One of the official clients that judge; `url` is a node's WebSocket.

    A client of streams says what it has to say there, or to the node whose WebSocket is
    `elsewhere`.
    """
    language, form, *rest = kind.split("-")
    protobuf = form == "protobuf"
    if language == "python":
        return PythonClient(url, tokens, protobuf=protobuf)
    if not rest:
        return JavaScriptClient(url, tokens, protobuf=protobuf)
    return JavaScriptClient(
        url,
        tokens,
        protobuf=protobuf,
        transports=[(rest[0], _at(url, f"/connection/{rest[0]}"))],
        emulation=_at(elsewhere or url, "/emulation"),
    )


def _at(websocket_url: str, path: str) -> str:
    return f"http://{urlsplit(websocket_url).netloc}{path}"


class _ClientEvents(ClientEventHandler):
    def __init__(self, told: PythonClient) -> None:
        self._told = told

    async def on_connecting(self, ctx: Any) -> None:
        await self._told.tell({"event": "connecting", "code": ctx.code, "reason": ctx.reason})

    async def on_connected(self, ctx: Any) -> None:
        await self._told.tell({"event": "connected", "client": ctx.client, "version": ctx.version})

    async def on_disconnected(self, ctx: Any) -> None:
        await self._told.tell({"event": "disconnected", "code": ctx.code, "reason": ctx.reason})

    async def on_error(self, ctx: Any) -> None:
        await self._told.tell({"event": "error", "code": ctx.code, "message": str(ctx.error)})


class _SubscriptionEvents(SubscriptionEventHandler):
    def __init__(self, told: PythonClient, channel: str) -> None:
        self._told = told
        self._channel = channel

    async def _tell(self, name: str, **values: Any) -> None:
        await self._told.tell({"event": name, "channel": self._channel, **values})

    async def on_subscribing(self, ctx: Any) -> None:
        await self._tell("subscribing", code=ctx.code, reason=ctx.reason)

    async def on_subscribed(self, ctx: Any) -> None:
        await self._tell(
            "subscribed",
            recovered=ctx.recovered,
            wasRecovering=ctx.was_recovering,
            recoverable=ctx.recoverable,
        )

    async def on_unsubscribed(self, ctx: Any) -> None:
        await self._tell("unsubscribed", code=ctx.code, reason=ctx.reason)

    async def on_publication(self, ctx: Any) -> None:
        await self._tell("publication", offset=ctx.pub.offset, data=self._told.into(ctx.pub.data))

    async def on_error(self, ctx: Any) -> None:
        await self._tell("subscription-error", code=ctx.code, message=str(ctx.error))
