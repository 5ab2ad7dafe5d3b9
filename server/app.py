"""The ASGI application of a house: its WebSocket, its two HTTP gateways, its pages."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import cast

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from kernel.errors import Refusal, Unauthenticated
from kernel.operations import AnyOperation
from messaging.sockets.upgrading import PATH
from server import __version__
from server.api import DOCUMENT, ApiEdge
from server.auth import ApiDoor, Doorkeeper, is_from_own_page
from server.errors import ErrorBody, NoSuchPath, error_answer, refusal_answer
from server.health import LEAVING, Health
from server.house import House
from server.logs import request_id
from server.middleware import SAFE_HEADERS, CrossOrigin, Requests
from server.openapi import Document, admin_document, api_document, client_document
from server.operations import answer_of, input_of
from server.pages import index_page, reference_page
from server.rates import Rates, caller_of, neighbourhood_of

Endpoint = Callable[[Request], Awaitable[Response]]

_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    415: "unsupported_media_type",
}


def create_app(house: House) -> Starlette:
    """The application of `house`, opened and closed by servers that speak the lifespan protocol."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with house.running():
            yield

    app = Starlette(
        routes=[
            *_gateway(house),
            *_watching(house),
        ],
        middleware=[
            *_server_api(house),
            Middleware(Requests, clock=house.clock, metrics=house.metrics),
            *_cross_origin(house),
        ],
        exception_handlers={
            Refusal: _refused,
            HTTPException: _http_error,
            Exception: _internal_error,
        },
        lifespan=lifespan,
    )
    # Every path has one spelling; a redirect would lead to whatever host the request names.
    app.router.redirect_slashes = False
    return app


def _server_api(house: House) -> list[Middleware]:
    """What back ends ask for under `/api`; nothing where this process does other work."""
    options = house.options
    if house.api is None:
        return []
    return [
        Middleware(
            ApiEdge,
            api=house.api,
            door=ApiDoor(
                api_keys=house.api_keys,
                fixed_key=house.api.key,
                insecure=options.insecure,
                strangers=_strangers(house),
            ),
            clock=house.clock,
            metrics=house.metrics,
            body_bytes=options.body_bytes,
            body_seconds=options.body_seconds,
        )
    ]


def _strangers(house: House) -> Rates:
    """How often one address may come without good credentials."""
    options = house.options
    return Rates(clock=house.clock, rate=options.failures_per_second, burst=options.failures_burst)


def _cross_origin(house: House) -> list[Middleware]:
    """Pages of the origins that may connect may call the API as well; no cookies are involved."""
    if not house.origins:
        return []
    return [
        Middleware(
            CrossOrigin,
            allow_origins=house.origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=("authorization", "content-type", "x-request-id"),
            expose_headers=("retry-after", "x-request-id"),
        )
    ]


def _gateway(house: House) -> list[BaseRoute]:
    """What clients and servers call; nothing where this process does other work."""
    if house.websocket is None:
        return []
    return [
        WebSocketRoute(PATH, house.websocket),
        *house.streams,
        *_Gateways(house).routes(),
        *_documents(house),
    ]


class _Gateways:
    """The rooms' operations over HTTP: `/v1` for users, `/admin/v1` for servers."""

    def __init__(self, house: House) -> None:
        options = house.options
        self._operations = house.operations
        self._body_bytes = options.body_bytes
        self._body_seconds = options.body_seconds
        self._rates = house.callers
        self._door = Doorkeeper(
            tokens=house.tokens, api_keys=house.api_keys, strangers=_strangers(house)
        )

    def routes(self) -> list[BaseRoute]:
        by_path: dict[str, dict[str, Endpoint]] = defaultdict(dict)
        for operation in self._operations:
            methods = by_path[operation.path]
            assert operation.method not in methods, f"two operations at {operation.path}"
            methods[operation.method] = self._endpoint(operation)
        # A fixed segment is matched before one that takes any text.
        ordered = sorted(by_path.items(), key=lambda each: each[0].replace("{", "\uffff"))
        return [
            Route(path, _by_method(methods), methods=list(methods)) for path, methods in ordered
        ]

    def _endpoint(self, operation: AnyOperation) -> Endpoint:
        admit = self._door.user if operation.scope is None else self._door.server
        if operation.open:
            admit = self._door.anybody

        async def endpoint(request: Request) -> Response:
            request.scope["operation"] = operation.name
            as_page = operation.page is not None and _wants_page(request)
            by_browser = as_page or (operation.by_page and is_from_own_page(request))
            if by_browser and not operation.open:
                try:
                    principal = await self._door.server(request, by_browser=True)
                except Unauthenticated as refusal:
                    return refusal_answer(refusal, by_browser=True)
            else:
                principal = await admit(request)
            if operation.scope is not None:
                principal.require(operation.scope)
            self._rates.take(caller_of(principal) if not operation.open else _address(request))
            given = await input_of(
                operation, request, limit=self._body_bytes, seconds=self._body_seconds
            )
            return await answer_of(operation, principal, given, request=request, as_page=as_page)

        return endpoint


def _wants_page(request: Request) -> bool:
    """Whether a browser asks, which names HTML among what it takes."""
    return "text/html" in request.headers.get("accept", "")


def _address(request: Request) -> str:
    """Whom the requests of a stranger are counted under."""
    return f"from:{neighbourhood_of(request.client.host if request.client else '')}"


def _by_method(methods: Mapping[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await methods[method](request)

    return endpoint


def _documents(house: House) -> list[BaseRoute]:
    """What explains the server: made once, for the first who asks, and by another thread.

    Starting a server would take a tenth longer if it wrote them for nobody.
    """
    makers: dict[str, Callable[[], Document]] = {
        "/v1/openapi.json": partial(client_document, house.operations, version=__version__),
        "/admin/v1/openapi.json": partial(admin_document, house.operations, version=__version__),
    }
    if house.api is not None:
        makers[DOCUMENT] = partial(api_document, house.api, version=__version__)
    makers = {path: cache(make) for path, make in makers.items()}

    @cache
    def reference() -> str:
        return reference_page({path: make() for path, make in makers.items()})

    async def docs(_request: Request) -> Response:
        return HTMLResponse(await asyncio.to_thread(reference))

    async def index(request: Request) -> Response:
        url = house.options.public_url or str(request.base_url).rstrip("/")
        languages = request.headers.get("accept-language", "")
        return HTMLResponse(
            index_page(
                url=url, languages=languages, hints=house.hints, insecure=house.options.insecure
            ),
            headers={"vary": "accept-language"},
        )

    return [
        Route("/", index),
        Route("/docs", docs),
        *(Route(path, _json(make)) for path, make in makers.items()),
    ]


def _json(make: Callable[[], Document]) -> Endpoint:
    @cache
    def body() -> bytes:
        return msgspec.json.encode(make())

    async def endpoint(_request: Request) -> Response:
        return Response(await asyncio.to_thread(body), media_type="application/json")

    return endpoint


def _watching(house: House) -> list[BaseRoute]:
    """What load balancers and Prometheus ask."""

    async def livez(_request: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    health = Health(house.checks(), clock=house.clock)

    async def readyz(_request: Request) -> Response:
        found = LEAVING if house.draining else await health.readiness()
        body = msgspec.json.encode(found.as_json())
        return Response(body, 200 if found.ready else 503, media_type="application/json")

    async def metrics(request: Request) -> Response:
        if house.shared_port and request.scope["server"][1] == house.shared_port:
            first = house.options.metrics_port
            raise NoSuchPath(
                f"Several nodes share this port. Ask each one at its own, from {first} upwards."
            )
        return Response(house.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


async def _refused(_request: Request, error: Exception) -> Response:
    return refusal_answer(cast(Refusal, error))


async def _http_error(_request: Request, error: Exception) -> Response:
    found = cast(HTTPException, error)
    code = _CODES.get(found.status_code, "bad_request")
    return error_answer(found.status_code, ErrorBody(code, found.detail), found.headers)


async def _internal_error(_request: Request, _error: Exception) -> Response:
    """The caller learns nothing of the bug but a name to ask about; the server logs it."""
    name = request_id.get()
    body = ErrorBody("internal", "Something went wrong on our side.", {"request_id": name})
    return error_answer(500, body, {**SAFE_HEADERS, "x-request-id": name})
