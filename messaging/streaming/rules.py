"""What every request of a stream's client passes: the rule of origins, and a bound on its body."""

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from messaging.sockets.origins import Origins

OCTETS = "application/octet-stream"
"""The content type that means Protobuf."""

CLOSING = {"connection": "close"}
"""The rest of the request is not read, so the connection is of no further use."""


class RequestRules:
    """Lets requests in. Every answer tells the page's browser that the page may read it."""

    def __init__(self, origins: Origins, *, body_seconds: float) -> None:
        self._origins = origins
        self._body_seconds = body_seconds

    def welcome(self, request: Request) -> dict[str, str]:
        """What to tell a browser of a request that may be answered. Raises 403 for others."""
        origin = request.headers.get("origin")
        if not self._origins.welcome(origin, host=request.headers.get("host", "")):
            raise HTTPException(403, "Pages of this origin may not connect.")
        if origin is None:
            return {}
        told = {"access-control-allow-origin": origin, "vary": "origin"}
        if origin in self._origins.named:
            # Nothing here looks at cookies, but a proxy before us may.
            told["access-control-allow-credentials"] = "true"
        return told

    @staticmethod
    def preflight(cross_origin: Mapping[str, str], *, methods: str) -> Response:
        """The answer to a browser that asks whether a page may send a request at all."""
        told = {
            "access-control-allow-methods": f"{methods}, OPTIONS",
            "access-control-allow-headers": "authorization, content-type, x-request-id",
            "access-control-max-age": "300",
        }
        return Response(status_code=204, headers={**cross_origin, **told})

    async def body_of(
        self, request: Request, *, limit: int, cross_origin: Mapping[str, str]
    ) -> bytes:
        """The body, read no further than `limit` bytes. Raises 413, 408 or 400."""
        too_large = HTTPException(
            413, f"The body may have {limit} bytes at most.", {**cross_origin, **CLOSING}
        )
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > limit:
                        raise too_large
                    parts.append(part)
        except TimeoutError:
            why = f"The body did not arrive within {self._body_seconds:g} seconds."
            raise HTTPException(408, why, {**cross_origin, **CLOSING}) from None
        except ClientDisconnect:
            raise HTTPException(400, "The client went away before the body was complete.") from None
        return b"".join(parts)


def is_binary(request: Request) -> bool:
    """Whether a request and its answer are Protobuf."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == OCTETS
