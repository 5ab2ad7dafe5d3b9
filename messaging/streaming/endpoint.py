"""The paths of connections over plain HTTP: streams down, and what their clients say up."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from messaging.protocol.codec import Codec
from messaging.protocol.codes import ProtocolViolation
from messaging.protocol.emulation import emulation_request
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.unidirectional import ONE_WAY
from messaging.sockets.gateway import Gateway
from messaging.streaming.forms import SSE, Form, http_stream
from messaging.streaming.plain import AsgiStream
from messaging.streaming.rules import RequestRules, is_binary
from messaging.streaming.sessions import Sessions
from messaging.streaming.transport import EXTENSION, SocketStream
from messaging.streaming.wire import StreamWire

S = TypeVar("S", bound=StreamWire)

_ALWAYS: Final = {
    "cache-control": "private, no-cache, no-store, must-revalidate, max-age=0",
    "pragma": "no-cache",
    "expire": "0",
    "x-accel-buffering": "no",
}
"""Nobody on the way may keep a stream: not for later, and not until there is more of it."""


class Opening:
    """`/connection/sse`, `/connection/http_stream` and their `uni_` twins: a stream begins.

    The first frame is in the request: the body of a `POST`, or `cf_connect` of a `GET`, because
    browsers can open server-sent events in no other way.
    """

    def __init__(
        self, gateway: Gateway, rules: RequestRules, sessions: Sessions, *, sse: bool, one_way: bool
    ) -> None:
        self._gateway = gateway
        self._rules = rules
        self._sessions = sessions
        self._sse = sse
        self._one_way = one_way
        self._methods = "GET, POST" if sse else "POST"
        medium = "sse" if sse else "http_stream"
        self._operation = f"connection.{'uni_' if one_way else ''}{medium}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        scope["operation"] = self._operation
        cross_origin = self._rules.welcome(request)
        if request.method == "OPTIONS":
            preflight = self._rules.preflight(cross_origin, methods=self._methods)
            await preflight(scope, receive, send)
            return
        if request.method == "HEAD":
            # Starlette lets it in with GET.
            raise HTTPException(405, headers={"allow": f"{self._methods}, OPTIONS"})
        codec: Codec = PROTOBUF if is_binary(request) and not self._sse else JSON
        if self._one_way:
            codec = ONE_WAY[codec]
        first = await self._first_frame(request, codec, cross_origin)
        if not self._gateway.accepting:
            raise HTTPException(503, "This node takes no connections at the moment.", cross_origin)
        del request
        await self._stream(codec, first, cross_origin, scope, receive, send)

    async def _first_frame(
        self, request: Request, codec: Codec, cross_origin: dict[str, str]
    ) -> bytes:
        limit = self._gateway.wire_options.message_bytes
        if request.method == "GET":
            frame = request.query_params.get("cf_connect", "{}" if self._one_way else "").encode()
            if len(frame) > limit:
                raise HTTPException(413, f"cf_connect may have {limit} bytes.", cross_origin)
        else:
            frame = await self._rules.body_of(request, limit=limit, cross_origin=cross_origin)
        if self._one_way:
            try:
                codec.decode_connect(frame)
            except ProtocolViolation:
                raise HTTPException(400, "This is no connect request.", cross_origin) from None
        elif not frame:
            raise HTTPException(400, "The first command is missing.", cross_origin)
        return frame

    async def _stream(
        self,
        codec: Codec,
        first: bytes,
        cross_origin: dict[str, str],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        form = SSE if self._sse else http_stream(codec)
        headers = {"content-type": form.content_type, **_ALWAYS, **cross_origin}
        takeover = scope.get("extensions", {}).get(EXTENSION)
        if takeover is not None:
            await send(_start({**headers, "connection": "close"}))
            taken = takeover()
            if taken is not None:
                transport, peers = taken
                wire = self._wire(SocketStream, codec, form)
                connection = self._gateway.connect(wire)
                wire.begin(
                    connection, first, transport=transport, peers=peers, over=self._sessions.close
                )
            return
        plain = self._wire(AsgiStream, codec, form)
        try:
            await plain.serve(
                self._gateway.connect(plain),
                first,
                start=_start(headers),
                receive=receive,
                send=send,
            )
        finally:
            self._sessions.close(plain)

    def _wire(self, kind: type[S], codec: Codec, form: Form) -> S:
        gateway = self._gateway
        wire = kind(
            codec,
            form,
            departures=gateway.departures,
            wheel=gateway.wheel,
            options=gateway.wire_options,
        )
        if not self._one_way:
            self._sessions.open(wire)
        return wire


def _start(headers: Mapping[str, str]) -> Message:
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


class Emulation:
    """`/emulation`: what a client says whose connection is a stream from us to it.

    Answered at once. What comes of it, the client hears in its stream.
    """

    def __init__(self, gateway: Gateway, rules: RequestRules, sessions: Sessions) -> None:
        self._limit = gateway.wire_options.message_bytes
        self._rules = rules
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        scope["operation"] = "emulation"
        cross_origin = self._rules.welcome(request)
        if request.method == "OPTIONS":
            answer = self._rules.preflight(cross_origin, methods="POST")
        else:
            await self._say(request, cross_origin)
            answer = Response(status_code=204, headers=cross_origin)
        await answer(scope, receive, send)

    async def _say(self, request: Request, cross_origin: dict[str, str]) -> None:
        # The quotes of a JSON frame double when it becomes a string; what counts is the frame.
        body = await self._rules.body_of(
            request, limit=2 * self._limit + 1_024, cross_origin=cross_origin
        )
        said = emulation_request(body, binary=is_binary(request))
        if said is None:
            raise HTTPException(400, "This is no emulation request.", cross_origin)
        if len(said.data) > self._limit:
            why = f"A frame may have {self._limit} bytes at most."
            raise HTTPException(413, why, cross_origin)
        if not self._sessions.say(said.data, session=said.session, node=said.node):
            raise HTTPException(404, "There is no such node.", cross_origin)


def stream_routes(
    gateway: Gateway, rules: RequestRules, sessions: Sessions, *, transports: Sequence[str]
) -> list[BaseRoute]:
    """The paths of those transports that are streams."""
    routes: list[BaseRoute] = []
    for name in transports:
        medium = name.removeprefix("uni_")
        if medium in ("sse", "http_stream"):
            sse = medium == "sse"
            opening = Opening(gateway, rules, sessions, sse=sse, one_way=name != medium)
            methods = ["GET", "POST", "OPTIONS"] if sse else ["POST", "OPTIONS"]
            routes.append(Route(f"/connection/{name}", opening, methods=methods))
    if {"sse", "http_stream"} & set(transports):
        emulation = Emulation(gateway, rules, sessions)
        routes.append(Route("/emulation", emulation, methods=["POST", "OPTIONS"]))
    return routes
