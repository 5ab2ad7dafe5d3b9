"""Values that databases choke on: every operation of the real house refuses them by itself."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from kernel.identity import Scope
from kernel.operations import AnyOperation
from kernel.paging import cursor_of
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from server.app import create_app
from server.house import House
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.tokens import TOKEN_OPTIONS, access_token

NUMBERS = (2**31, 2**63, -(2**63) - 1, 10**30, -1)
TEXTS = ("\x00", "a\x00b", "", "\u202e", "x" * 10_000, "é" * 200, "2" * 400)
INSTANTS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9999-12-31")
CURSORS = tuple(
    cursor_of(*(text,) * size)
    for text in ("\x00", "9" * 30, "", "9999-12-31T23:59:59-14:00")
    for size in (1, 2, 3)
)
HOSTILE: tuple[object, ...] = (*NUMBERS, *TEXTS, *INSTANTS, *CURSORS, 1e308, None, [], {}, True)

FITTING = {
    "at": "09:00",
    "zone": "Africa/Algiers",
    "time_zone": "Africa/Algiers",
    "locale": "fr-DZ",
    "locales": ["fr-DZ"],
    "installation_id": "installation",
    "expires_after": 3600.0,
    "texts": {"fr": {"title": "Salam", "body": "Labes ?"}},
    "assignee_id": "amina",
    "due": {"kind": "day", "day": "2030-01-01"},
    "details": {"notes": "karim", "priority": "key"},
    "expire_at": 4_000_000_000,
    "issued_before": 1_700_000_000,
    "b64data": "e30=",
    "b64info": "e30=",
    "expression": "",
    "disconnect": {"code": 4001, "reason": "later"},
    "since": {"offset": 0, "epoch": ""},
    "app_id": "default",
    "calendar": "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
    "label_filter": {"op": "and", "nodes": [{"key": "device", "cmp": "eq", "val": "phone"}]},
    "commands": [{"publish": {"channel": "karim", "data": {}}}, {"info": {}}],
}
"""What fits fields whose rules are not in their types."""

LEFT_OUT = {"campaigns.create": frozenset({"template", "version", "variables"})}
"""Fields that cannot be given together with others."""


@pytest.fixture
def house(database_url: str) -> House:
    plain = Settings()
    return build(
        replace(
            plain,
            server=replace(
                plain.server, push="providers", requests_per_second=1e6, requests_burst=1_000_000
            ),
            database=replace(plain.database, url=database_url),
            tokens=TOKEN_OPTIONS,
            channels=ChannelSettings(
                without_namespace=ChannelOptions(presence=True, history_size=10, history_ttl="1h")
            ),
        )
    )


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    _, key = await house.api_keys.create("tests", frozenset(Scope))
    headers = {
        "authorization": f"Bearer {access_token('amina', now=house.clock.now())}",
        "x-api-key": key,
    }
    async with (
        house.running(),
        httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as asking,
    ):
        yield asking


# Thousands of requests, on a machine that may do something else at the same time.
@pytest.mark.timeout(600)
async def test_no_value_of_any_field_breaks_an_operation(house: House, http: httpx.AsyncClient):
    broken: list[str] = []
    there = await _made(house, http)
    assert there.keys() >= {"conversation_id", "device_id", "campaign_id", "event_id", "task_id"}

    for operation in house.operations:
        for name, value, given in _attempts(operation, there):
            answer = await _ask(http, operation, given)
            if answer.status_code >= 500:
                broken.append(f"{operation.name} {name}={str(value)[:40]!r}: {answer.status_code}")

    assert broken == [], "\n".join(broken)


async def test_no_value_of_any_field_breaks_the_server_api(
    house: House, http: httpx.AsyncClient
) -> None:
    broken: list[str] = []
    assert house.api is not None

    for operation in (*house.api.commands.operations, *house.api.batches.operations):
        good = await _ask(http, operation, _good(operation, {}))
        assert good.status_code == 200, operation.name
        assert "error" not in good.json(), f"{operation.name}: {good.text}"
        for name, value, given in _attempts(operation, {}):
            answer = await _ask(http, operation, given)
            if answer.status_code >= 500 or answer.json().get("error", {}).get("code") == 100:
                broken.append(f"{operation.name} {name}={str(value)[:40]!r}: {answer.text[:80]}")

    assert broken == [], "\n".join(broken)


async def _made(house: House, http: httpx.AsyncClient) -> dict[str, str]:
    """Ids of what exists, under the names that operations call them by."""
    there = {"kind": "group"}
    for operation in sorted(house.operations, key=lambda each: each.path.count("{")):
        if operation.method in ("POST", "PUT") and "cancel" not in operation.name:
            answer = await _ask(http, operation, _good(operation, there))
            if answer.is_success and "id" in answer.json():
                noun = operation.name.partition(".")[0].removesuffix("s")
                there.setdefault(f"{noun}_id", answer.json()["id"])
    return there


def _good(operation: AnyOperation, there: dict[str, str]) -> dict[str, Any]:
    """Input that the operation would accept, as far as its types tell."""
    good = _example(msgspec.inspect.type_info(operation.takes), count())
    left_out = LEFT_OUT.get(operation.name, frozenset[str]())
    return {name: there.get(name, value) for name, value in good.items() if name not in left_out}


def _attempts(
    operation: AnyOperation, there: dict[str, str]
) -> Iterator[tuple[str, object, dict[str, Any]]]:
    """Good input with one value replaced, for each field and each hostile value."""
    good = _good(operation, there)
    for place in _places(good):
        for value in HOSTILE:
            yield ".".join(map(str, place)), value, _replaced(good, place, value)


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield (*at, name)
            yield from _places(each, (*at, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield (*at, index)
            yield from _places(each, (*at, index))


def _replaced(value: Any, place: tuple[Any, ...], new: object) -> Any:
    if not place:
        return new
    first, *rest = place
    if isinstance(value, dict):
        return {k: _replaced(v, tuple(rest), new) if k == first else v for k, v in value.items()}
    return [_replaced(v, tuple(rest), new) if i == first else v for i, v in enumerate(value)]


def _example(info: Any, numbers: Iterator[int]) -> Any:
    """A value of a type that msgspec accepts."""
    match info:
        case msgspec.inspect.Metadata():
            return _example(info.type, numbers)
        case msgspec.inspect.UnionType():
            kinds = [each for each in info.types if not isinstance(each, msgspec.inspect.NoneType)]
            return _example(kinds[0], numbers)
        case msgspec.inspect.StructType():
            fields = {
                each.encode_name: FITTING[each.encode_name]
                if each.encode_name in FITTING
                else _example(each.type, numbers)
                for each in info.fields
            }
            tag = {info.tag_field: info.tag} if info.tag_field else {}
            return {**tag, **fields}
        case msgspec.inspect.StrType():
            return "karim" if info.pattern is None else f"key{next(numbers)}"
        case msgspec.inspect.IntType():
            return info.ge or 1
        case msgspec.inspect.FloatType():
            return 1.0
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.UUIDType():
            return str(uuid4())
        case msgspec.inspect.DateTimeType():
            return "2030-01-01T10:00:00Z"
        case msgspec.inspect.DateType():
            return "2030-01-01"
        case msgspec.inspect.TimeType():
            return "10:00:00"
        case msgspec.inspect.EnumType():
            return next(iter(info.cls)).value
        case msgspec.inspect.LiteralType():
            return info.values[0]
        case msgspec.inspect.DictType():
            return {"title": _example(info.value_type, numbers)}
        case msgspec.inspect.CollectionType():
            return [_example(info.item_type, numbers)]
        case msgspec.inspect.RawType() | msgspec.inspect.AnyType():
            return {"text": "hello"}
        case _:
            raise AssertionError(f"no example of {info}")


async def _ask(
    http: httpx.AsyncClient, operation: AnyOperation, given: dict[str, Any]
) -> httpx.Response:
    path, rest = operation.path, dict(given)
    for name in [part.strip("{}") for part in path.split("/") if part.startswith("{")]:
        text = httpx.QueryParams({"": str(rest.pop(name, ""))})
        path = path.replace(f"{{{name}}}", str(text)[1:].replace("+", "%20"))
    if operation.method in ("GET", "DELETE"):
        query = [(k, str(each)) for k, v in rest.items() for each in _listed(v)]
        return await http.request(operation.method, path, params=query)
    return await http.request(operation.method, path, json=rest)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
