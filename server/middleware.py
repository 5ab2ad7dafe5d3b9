"""What every HTTP request passes: an id, safe headers, a log line, numbers."""

import logging
import re
from collections.abc import Mapping
from itertools import count
from secrets import token_hex

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.clock import Clock
from kernel.metrics import Metrics
from server.logs import request_id

log = logging.getLogger(__name__)

SAFE_HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "cache-control": "no-store",
}
"""On every answer that does not say otherwise."""

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"/livez", "/readyz", "/metrics", "/emulation"})
"""Asked so often that one line each would drown the others."""


class CrossOrigin(CORSMiddleware):
    """Lets pages of other origins call the API. Connections have a rule of their own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(("/connection/", "/emulation")):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Requests:
    """Names each HTTP request, then counts, times and logs its answer.

    The name is the caller's `X-Request-ID` if it is a plain one, else a new one. What the
    endpoint calls `operation` in the scope labels the numbers.
    """

    def __init__(self, app: ASGIApp, *, clock: Clock, metrics: Metrics) -> None:
        self._app = app
        self._clock = clock
        self._names = Names()
        self._answered = metrics.counter(
            "server_requests_total", "HTTP requests answered.", ["operation", "status"]
        )
        self._seconds = metrics.histogram(
            "server_request_seconds", "Time to answer an HTTP request.", ["operation"]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock.monotonic()
        name = self._names.name(Headers(scope=scope).get("x-request-id", ""))
        # Never reset: the server logs what was raised here after this task has left.
        request_id.set(name)
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = name
                for header, value in SAFE_HEADERS.items():
                    headers.setdefault(header, value)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._note(scope, status, self._clock.monotonic() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        operation = str(scope.get("operation", ""))
        self._answered.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)
        log.log(
            logging.DEBUG if scope["path"] in _QUIET else logging.INFO,
            "request answered",
            extra={
                "method": scope["method"],
                "path": scope["path"],
                "operation": operation,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
            },
        )


class Names:
    """Names for requests: the caller's if it is a plain one, else a new one.

    New ones are counted, behind what nobody else begins with; that costs next to nothing.
    """

    def __init__(self) -> None:
        self._beginning = token_hex(8)
        self._made = count(1)

    def name(self, given: str) -> str:
        """What to call a request that came with this name, or without one."""
        if given and _GIVEN_ID.fullmatch(given):
            return given
        return f"{self._beginning}{next(self._made):016x}"
