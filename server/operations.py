"""An operation over HTTP: from path, query and body to its input, from its answer to bytes."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from kernel.errors import InvalidInput, Refusal
from kernel.identity import Principal
from kernel.operations import AnyOperation, Document, invalid_input
from server.errors import CLOSING, STATUS, BodyTooLarge
from server.languages import languages_of

Answer = Callable[[Request], Awaitable[Response]]

JSON = "application/json"

LINES = "application/x-ndjson"
"""The media type of an answer that is one JSON value a line."""

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https:; form-action {forms}; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""A page shows pictures of others, and nothing else of theirs."""

_SCRIPTED = "; script-src 'sha256-{digest}'; connect-src 'self'"

_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


async def input_of(operation: AnyOperation, request: Request, *, limit: int, seconds: float) -> Any:
    """The operation's input from a request. Raises a refusal that names field and rule."""
    path = {name: _path_value(operation, name, text) for name, text in request.path_params.items()}
    if operation.method in ("GET", "DELETE"):
        return _from_query(operation, path, request)
    upload = operation.upload
    kinds = (JSON,) if upload is None else (JSON, upload[0])
    body = await body_of(request, limit=limit, seconds=seconds, kinds=kinds)
    if upload is not None and _media_type(request) == upload[0]:
        return _from_upload(operation, path, request, body)
    return _from_body(operation, path, body)


def _path_value(operation: AnyOperation, name: str, text: str) -> object:
    """A number where a number is wanted, else the text; msgspec checks it with the rest."""
    kind = _types(operation)[name]
    try:
        value = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        rule = invalid_input(error, kind).details["rule"]
        raise InvalidInput(name, str(rule)) from None
    return value if isinstance(value, int | float) else text


def _from_query(operation: AnyOperation, path: Mapping[str, object], request: Request) -> Any:
    given: dict[str, object] = {}
    types = _types(operation)
    for name in request.query_params:
        if name in path:
            raise InvalidInput(name, "belongs in the path only")
        values = request.query_params.getlist(name)
        if _is_list(types.get(name)):
            given[name] = values
        elif len(values) > 1:
            raise InvalidInput(name, "is given more than once")
        else:
            given[name] = values[0]
    try:
        return msgspec.convert({**given, **path}, operation.takes, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_input(error, operation.takes) from None


def _from_upload(
    operation: AnyOperation, path: Mapping[str, object], request: Request, body: bytes
) -> Any:
    assert operation.upload is not None, "the operation takes uploads"
    field = operation.upload[1]
    if field in request.query_params:
        raise InvalidInput(field, "belongs in the body only")
    try:
        return _from_query(operation, {**path, field: body.decode()}, request)
    except UnicodeDecodeError:
        raise InvalidInput("body", "is not UTF-8") from None


def _from_body(operation: AnyOperation, path: Mapping[str, object], body: bytes) -> Any:
    # Values stay the bytes that came: what passes through is never decoded and encoded again.
    # The decoder does not look inside them, so their encoding is checked here.
    try:
        body.decode()
        fields = _raw_fields.decode(body) if body else {}
    except UnicodeDecodeError:
        raise InvalidInput("body", "is not UTF-8") from None
    except msgspec.ValidationError:
        raise InvalidInput("body", "must be a JSON object") from None
    except msgspec.DecodeError as error:
        raise InvalidInput("body", f"is not valid JSON: {error}") from None
    except RecursionError:
        raise InvalidInput("body", "nests too deep") from None
    for name, value in path.items():
        if name in fields:
            raise InvalidInput(name, "belongs in the path only")
        fields[name] = msgspec.Raw(msgspec.json.encode(value))
    try:
        return msgspec.json.decode(msgspec.json.encode(fields), type=operation.takes)
    except msgspec.ValidationError as error:
        raise invalid_input(error, operation.takes) from None
    except msgspec.DecodeError as error:
        raise InvalidInput("body", f"is not valid JSON: {error}") from None


async def body_of(
    request: Request, *, limit: int, seconds: float, kinds: Sequence[str] = (JSON,)
) -> bytes:
    """The body of a request, read no further than `limit` bytes and no longer than that."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise BodyTooLarge(f"The body may have {limit} bytes at most.", limit=limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise BodyTooLarge(f"The body may have {limit} bytes at most.", limit=limit)
                parts.append(part)
    except TimeoutError:
        raise HTTPException(
            408, f"The body did not arrive within {seconds:g} seconds.", CLOSING
        ) from None
    except ClientDisconnect:
        raise HTTPException(400, "The client went away before the body was complete.") from None
    body = b"".join(parts)
    if body and _media_type(request) not in kinds:
        raise HTTPException(415, f"Send it with Content-Type: {' or '.join(kinds)}.")
    return body


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def answer_of(
    operation: AnyOperation,
    principal: Principal,
    given: Any,
    *,
    request: Request,
    as_page: bool = False,
) -> Response:
    """Run the operation and write its answer, as a page if that is wanted and there is one."""
    languages = languages_of(request.headers.get("accept-language", "")) if as_page else ()
    try:
        result = await operation.run(principal, given)
    except Refusal as refusal:
        page = operation.refused_pages.get(type(refusal)) if as_page else None
        if page is None:
            raise
        return _page(operation, page(languages), STATUS[refusal.kind])
    if operation.document:
        return await _document(operation, result, request)
    if as_page and operation.page is not None:
        return _page(operation, operation.page(result, languages), operation.status)
    if operation.streams:
        return StreamingResponse(_lines(result), operation.status, media_type=LINES)
    if operation.status == 204:
        return Response(status_code=204)
    return Response(msgspec.json.encode(result), operation.status, media_type="application/json")


def _page(operation: AnyOperation, text: str, status: int) -> Response:
    headers = {"content-security-policy": _policy(operation), "vary": "accept, accept-language"}
    return HTMLResponse(text, status, headers=headers)


def _policy(operation: AnyOperation) -> str:
    # Only what needs no credentials has forms: a browser would send them along by itself.
    policy = _POLICY.format(forms="'self'" if operation.open else "'none'")
    if operation.script:
        digest = base64.b64encode(hashlib.sha256(operation.script.encode()).digest()).decode()
        policy += _SCRIPTED.format(digest=digest)
    return policy


async def _document(operation: AnyOperation, given: Document, request: Request) -> Response:
    tag = f'"{given.version}"'
    headers = {
        "etag": tag,
        # Whoever keeps it asks each time whether it still is so; nobody in between keeps it.
        "cache-control": "private, no-cache",
    }
    if _has(tag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    media_type = f"{operation.document}; charset=utf-8"
    if request.method == "HEAD":
        answer = Response(headers=headers, media_type=media_type)
        # How long it would be is known only after it was written.
        del answer.headers["content-length"]
        return answer
    return Response(await given.write(), operation.status, headers, media_type)


def _has(tag: str, asked: str) -> bool:
    """Whether a tag is among those that a caller has; one that was weakened underway counts."""
    tags = {each.strip().removeprefix("W/") for each in asked.split(",")}
    return tag in tags or tags == {"*"}


async def _lines(values: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    """Each value on a line of its own. The first line is empty: the answer has begun."""
    yield b"\n"
    async for value in values:
        yield msgspec.json.encode(value) + b"\n"


def _types(operation: AnyOperation) -> dict[str, Any]:
    return {each.encode_name: each.type for each in msgspec.structs.fields(operation.takes)}


def _is_list(kind: Any) -> bool:
    """Whether a query field may be given several times."""
    if kind is None:
        return False
    info = msgspec.inspect.type_info(kind)
    if isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return any(isinstance(each, msgspec.inspect.CollectionType) for each in options)
