"""The server API over HTTP, in Centrifugo's form: `POST /api/<method>`.

It stands before everything else of the application, because it is what back ends publish
through: nothing is done for a request that it does not need.
"""

import asyncio
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.identity import Principal
from kernel.metrics import Metrics
from messaging.api import lines
from messaging.api.answers import Malformed, error_of, status_of
from messaging.api.calls import ROOT, Calls, ServerApi
from messaging.api.results import BatchResult, Error
from messaging.protocol.codes import ErrorCode
from server.auth import ApiDoor
from server.errors import CLOSING, BodyTooLarge, ErrorBody, error_answer, refusal_answer
from server.logs import request_id
from server.middleware import SAFE_HEADERS, Names

log = logging.getLogger(__name__)

DOCUMENT = f"{ROOT}openapi.json"

_OLD = ROOT.rstrip("/")
"""Where commands of the old form go, with their method inside."""

_HEADERS = [
    (b"content-type", b"application/json"),
    *((name.encode(), value.encode()) for name, value in SAFE_HEADERS.items()),
]

_encoder = msgspec.json.Encoder()


class _Result(msgspec.Struct):
    result: Any


class _Failure(msgspec.Struct):
    error: Error


class _Asked(NamedTuple):
    """What the headers of a request say."""

    key: str
    origin: bool
    length: int
    transport_errors: bool
    name: str


class ApiEdge:
    """Answers what is asked under `/api`, and passes on the rest."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        api: ServerApi,
        door: ApiDoor,
        clock: Clock,
        metrics: Metrics,
        body_bytes: int,
        body_seconds: float,
    ) -> None:
        self._app = app
        self._api = api
        self._door = door
        self._clock = clock
        self._names = Names()
        self._body_bytes = body_bytes
        self._body_seconds = body_seconds
        methods = [*api.commands.methods, *api.batches.methods, ""]
        seconds = metrics.histogram(
            "server_api_seconds", "Time to answer a request to the server API.", ["method"]
        )
        self._seconds = {method: seconds.labels(method) for method in methods}
        self._answered = metrics.counter(
            "server_api_requests_total", "Requests to the server API, by status.", ["status"]
        )
        self._fine = self._answered.labels("200")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_ours(scope["path"]):
            await self._app(scope, receive, send)
            return
        began = self._clock.monotonic()
        asked = _asked(scope, self._names)
        # Never reset: the server logs what was raised here after this task has left.
        request_id.set(asked.name)
        method = scope["path"][len(ROOT) :]
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", asked.name.encode()),
                ]
            await send(message)

        try:
            await self._serve(scope, receive, sending, method, asked)
        finally:
            seconds = self._clock.monotonic() - began
            (self._seconds.get(method) or self._seconds[""]).observe(seconds)
            (self._fine if status == 200 else self._answered.labels(str(status))).inc()
            if log.isEnabledFor(logging.DEBUG):
                log.debug(
                    "server API answered",
                    extra={"method": method, "status": status, "seconds": round(seconds, 4)},
                )

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, method: str, asked: _Asked
    ) -> None:
        try:
            if scope["method"] != "POST":
                raise HTTPException(405, "The server API is asked by POST.", {"allow": "POST"})
            client = scope.get("client")
            server = await self._door.admit(
                asked.key, address=client[0] if client else "", from_page=asked.origin
            )
            text = await self._body(receive, asked.length)
            status, body = await self._answer(server, scope["path"], method, text, asked)
        except Malformed as error:
            status, body = HTTPStatus.BAD_REQUEST, _encoder.encode(_Failure(error_of(error)))
        except Refusal as refusal:
            await refusal_answer(refusal)(scope, receive, send)
            return
        except HTTPException as error:
            code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
            answer = error_answer(error.status_code, ErrorBody(code, error.detail), error.headers)
            await answer(scope, receive, send)
            return
        await _send(send, status, body)

    async def _answer(
        self, server: Principal, path: str, method: str, text: bytes, asked: _Asked
    ) -> tuple[int, bytes]:
        api = self._api
        if path == _OLD:
            return 200, await lines.answered(api.commands, server, text, limit=api.lines)
        calls: Calls = api.batches if method in api.batches.methods else api.commands
        given = await calls.call(server, method, text)
        if isinstance(given, BatchResult):
            return 200, _encoder.encode(given)
        if not isinstance(given, Error):
            return 200, _encoder.encode(_Result(given))
        if asked.transport_errors:
            return status_of(given), _encoder.encode(given)
        unknown = given.code == ErrorCode.METHOD_NOT_FOUND
        return (404 if unknown else 200), _encoder.encode(_Failure(given))

    async def _body(self, receive: Receive, length: int) -> bytes:
        limit = self._body_bytes
        if length > limit:
            raise BodyTooLarge(f"The body may have {limit} bytes at most.", limit=limit)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise HTTPException(400, "The client went away.")
                    part = message.get("body", b"")
                    size += len(part)
                    if size > limit:
                        raise BodyTooLarge(f"The body may have {limit} bytes at most.", limit=limit)
                    parts.append(part)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise HTTPException(408, "The body did not arrive in time.", CLOSING) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_ours(path: str) -> bool:
    return path == _OLD or (path.startswith(ROOT) and path != DOCUMENT)


def _asked(scope: Scope, names: Names) -> _Asked:
    key, scheme_and_key, length, errors, given = "", "", "", "", ""
    origin = False
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        match name:
            case b"x-api-key":
                key = value.decode("latin-1").strip()
            case b"authorization":
                scheme_and_key = value.decode("latin-1")
            case b"content-length":
                length = value.decode("latin-1")
            case b"x-centrifugo-error-mode":
                errors = value.decode("latin-1")
            case b"x-request-id":
                given = value.decode("latin-1")
            case b"origin":
                origin = True
            case _:
                pass
    if not key and scheme_and_key:
        scheme, _, rest = scheme_and_key.partition(" ")
        key = rest.strip() if scheme.lower() in ("apikey", "bearer") else ""
    if not key and scope["query_string"]:
        key = parse_qs(scope["query_string"].decode("latin-1")).get("api_key", [""])[0]
    return _Asked(
        key=key,
        origin=origin,
        length=int(length) if length.isdigit() else 0,
        transport_errors=errors == "transport",
        name=names.name(given),
    )


async def _send(send: Send, status: int, body: bytes) -> None:
    size = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*_HEADERS, size]})
    await send({"type": "http.response.body", "body": body})
