"""Bodies of the server API, damaged: whatever comes is answered, in JSON, and is nobody's bug."""

import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from messaging.api.options import ApiOptions
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from server.app import create_app
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.tokens import TOKEN_OPTIONS

KEY = "a key for this test alone"
KEPT = ChannelOptions(presence=True, history_size=10, history_ttl="1h")

BODIES = {
    "publish": {"channel": "a", "data": {"text": "é"}, "tags": {"a": "b"}, "version": 1},
    "broadcast": {"channels": ["a", "b:c"], "b64data": "e30=", "idempotency_key": "k"},
    "subscribe": {"user": "u", "channel": "a", "override": {"presence": {"value": True}}},
    "unsubscribe": {"user": "u", "channel": "a", "client": "c"},
    "disconnect": {"user": "u", "whitelist": ["c"], "disconnect": {"code": 4000, "reason": "r"}},
    "refresh": {"user": "u", "expire_at": 4000000000, "info": [1, 2]},
    "history": {"channel": "a", "limit": 1, "since": {"offset": 0, "epoch": ""}, "reverse": True},
    "channels": {"pattern": "{a,b*}[!c-d]?"},
    "connections": {"user": "u", "label_filter": {"key": "a", "cmp": "eq", "val": "b"}},
    "get_user_status": {"users": ["u"]},
    "invalidate_user_tokens": {"user": "u", "issued_before": 1700000000, "channel": "a"},
    "batch": {"commands": [{"publish": {"channel": "a", "data": 1}}, {"info": {}}, None]},
    "": {"method": "publish", "params": {"channel": "a", "data": 1}, "id": 1},
}  # fmt: skip
PIECES = [
    b"", b"\x00", b"\xff", b'"', b"{", b"}", b"[" * 100, b"null", b"-1", b"1e999", b"\\ud800",
    b'"\\u0000"', b"9" * 30, b",", b":", "𝕊é".encode(), b'{"a":' * 50,
]  # fmt: skip


@pytest.fixture
async def http(sqlite_database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    plain = Settings()
    house = build(
        replace(
            plain,
            server=replace(plain.server, push="providers"),
            database=replace(plain.database, url=sqlite_database_url),
            tokens=TOKEN_OPTIONS,
            api=ApiOptions(key=KEY),
            channels=ChannelSettings(without_namespace=KEPT, namespaces={"bb": KEPT}),
        )
    )
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with (
        house.running(),
        httpx.AsyncClient(
            transport=transport, base_url="http://zaffa.test", headers={"x-api-key": KEY}
        ) as asking,
    ):
        yield asking


def damaged(body: bytes, chance: random.Random) -> bytes:
    """A body with pieces of it left out, repeated, or replaced."""
    for _ in range(chance.randint(1, 3)):
        one, two = sorted(chance.randrange(len(body) + 1) for _ in range(2))
        two = min(two, one + chance.randint(0, 12))
        body = body[:one] + chance.choice([*PIECES, body[one:two] * 2]) + body[two:]
    return body


@pytest.mark.parametrize("method", BODIES)
async def test_any_body_is_answered(http: httpx.AsyncClient, method: str) -> None:
    chance = random.Random(method)
    good = json.dumps(BODIES[method], ensure_ascii=False).encode()
    path = f"/api/{method}".rstrip("/")
    assert (await http.post(path, content=good)).status_code == 200

    for _ in range(300):
        body = damaged(good, chance)
        answer = await http.post(path, content=body)
        assert answer.status_code in (200, 400), (body, answer.text)
        for line in answer.text.splitlines():
            assert json.loads(line).keys() <= {"id", "result", "error", "replies"}, body


async def test_any_header_is_answered(http: httpx.AsyncClient) -> None:
    chance = random.Random(1)
    names = [b"x-api-key", b"authorization", b"content-length", b"x-request-id", b"origin",
             b"x-centrifugo-error-mode", b"content-type"]  # fmt: skip
    for _ in range(300):
        value = damaged(b"apikey " + KEY.encode(), chance).replace(b"\r", b"").replace(b"\n", b"")
        answer = await http.post(
            "/api/info",
            content=b"{}",
            params={"api_key": value.decode("latin-1")},
            headers=[(chance.choice(names), value)],
        )
        assert answer.status_code in (200, 401, 413, 429), value
