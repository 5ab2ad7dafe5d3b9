"""What a refusal becomes over HTTP, in one table."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from kernel.errors import Kind, RateLimited, Refusal

STATUS: Mapping[Kind, int] = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.DENIED: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_LARGE: 413,
    Kind.LIMITED: 429,
    Kind.UNAVAILABLE: 503,
}


CLOSING = {"connection": "close"}
"""The rest of the request is not read, so the connection is of no further use."""


class ErrorBody(msgspec.Struct, frozen=True):
    """Every error: `code` is for programs and never changes, `message` is for people."""

    code: str
    message: str
    details: dict[str, Any] = {}


class BodyTooLarge(Refusal):
    """The request's body is larger than the server takes."""

    kind = Kind.TOO_LARGE
    code = "body_too_large"


class NoSuchPath(Refusal):
    """Nothing is served at this path."""

    kind = Kind.NOT_FOUND
    code = "not_found"


def refusal_answer(refusal: Refusal, *, by_browser: bool = False) -> Response:
    """The answer to a request that was refused; a browser is told to ask for a password."""
    headers: dict[str, str] = {}
    if isinstance(refusal, RateLimited):
        headers["retry-after"] = str(max(1, round(refusal.retry_after + 0.499)))
    elif isinstance(refusal, BodyTooLarge):
        headers.update(CLOSING)
    elif refusal.kind is Kind.UNAVAILABLE:
        headers["retry-after"] = "1"
    elif refusal.kind is Kind.UNAUTHENTICATED:
        bearer = f'Bearer realm="zaffa", error="{refusal.code}"'
        basic = 'Basic realm="Zaffa: an API key as the password", charset="UTF-8"'
        headers["www-authenticate"] = basic if by_browser else bearer
    body = ErrorBody(refusal.code, refusal.message, dict(refusal.details))
    return error_answer(STATUS[refusal.kind], body, headers)


def error_answer(
    status: int, body: ErrorBody, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that is an error."""
    return Response(
        msgspec.json.encode(body), status, headers=headers, media_type="application/json"
    )
