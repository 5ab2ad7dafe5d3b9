"""The server API over HTTP: who is let in, what is answered, and with which status."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from kernel.identity import Scope
from messaging.api.options import ApiOptions
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from server.app import create_app
from server.house import House
from server.roles import ServerRole
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.tokens import TOKEN_OPTIONS, access_token

FIXED = "a key that a back end has already"
KEPT = ChannelOptions(history_size=10, history_ttl="1h", presence=True)


@pytest.fixture
def settings(sqlite_database_url: str) -> Settings:
    plain = Settings()
    return replace(
        plain,
        server=replace(
            plain.server, push="providers", body_bytes=2_048, failures_burst=20, body_seconds=0.2
        ),
        database=replace(plain.database, url=sqlite_database_url),
        tokens=TOKEN_OPTIONS,
        api=ApiOptions(key=FIXED, broadcast_channels=3, batch_commands=3),
        channels=ChannelSettings(namespaces={"kept": KEPT, "passing": ChannelOptions()}),
    )


@pytest.fixture
def house(settings: Settings) -> House:
    return build(settings)


@pytest.fixture
async def http(house: House) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with (
        house.running(),
        httpx.AsyncClient(transport=transport, base_url="http://zaffa.test") as asking,
    ):
        yield asking


async def ask(
    http: httpx.AsyncClient, method: str, body: object, *, key: str = FIXED, **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await http.post(f"/api/{method}", json=body, headers={"x-api-key": key, **named})


PUBLISH = {"channel": "passing:1", "data": 1}


# --- who is let in -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": FIXED},
        {"Authorization": f"apikey {FIXED}"},
        {"authorization": f"ApiKey  {FIXED}"},
        {"Authorization": f"Bearer {FIXED}"},
    ],
)
async def test_the_fixed_key_is_taken_from_either_header(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await http.post("/api/publish", json=PUBLISH, headers=headers)

    assert (answer.status_code, answer.json()) == (200, {"result": {}})


async def test_the_key_may_be_in_the_address(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/publish", params={"api_key": FIXED}, json=PUBLISH)

    assert answer.json() == {"result": {}}


async def test_a_key_that_was_made_is_good_until_it_is_revoked(
    house: House, http: httpx.AsyncClient
) -> None:
    key, secret = await house.api_keys.create("shop", frozenset({Scope.CHANNELS}))

    before = await ask(http, "publish", PUBLISH, key=secret)
    await house.api_keys.revoke(key.id)
    after = await ask(http, "publish", PUBLISH, key=secret)

    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.parametrize("method", ["publish", "nowhere", "batch", ""])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": "wrong"},
        {"x-api-key": FIXED[:-1]},
        {"x-api-key": FIXED.upper()},
        {"x-api-key": "insecure"},
        {"authorization": f"Basic {FIXED}"},
        {"authorization": "apikey"},
        {"x-api-key": "\xe9\xff"},
    ],
)
async def test_nobody_is_let_in_without_a_good_key(
    http: httpx.AsyncClient, method: str, headers: dict[str, str]
) -> None:
    encoded = [(name, value.encode("latin-1")) for name, value in headers.items()]

    answer = await http.post(f"/api/{method}".rstrip("/"), content=b"{}", headers=encoded)

    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"
    assert "www-authenticate" in answer.headers


async def test_a_users_token_is_no_key(house: House, http: httpx.AsyncClient) -> None:
    token = access_token("amina", now=house.clock.now())

    answer = await ask(http, "publish", PUBLISH, key=token)
    other = await http.post(
        "/api/publish", json=PUBLISH, headers={"authorization": f"Bearer {token}"}
    )

    assert (answer.status_code, other.status_code) == (401, 401)


async def test_the_fixed_key_opens_nothing_else(http: httpx.AsyncClient) -> None:
    answer = await http.get("/admin/v1/connections", headers={"x-api-key": FIXED})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("scope", "methods"),
    [
        (
            Scope.CHANNELS,
            "publish broadcast subscribe unsubscribe presence presence_stats history"
            " history_remove channels",
        ),
        (
            Scope.USERS,
            "disconnect refresh connections update_user_status get_user_status"
            " delete_user_status block_user unblock_user revoke_token invalidate_user_tokens",
        ),
        (Scope.OPERATE, "info"),
    ],
)
async def test_each_method_needs_its_scope(
    house: House, http: httpx.AsyncClient, scope: Scope, methods: str
) -> None:
    others = frozenset(Scope) - {scope}
    _, allowed = await house.api_keys.create("allowed", frozenset({scope}))
    _, denied = await house.api_keys.create("denied", others)

    for method in methods.split():
        yes = (await ask(http, method, {}, key=allowed)).json()
        no = (await ask(http, method, {}, key=denied)).json()
        assert yes.get("error", {}).get("code") != 103, method
        assert no["error"]["code"] == 103, method
        assert str(scope) in no["error"]["message"], method


async def test_every_method_is_in_the_matrix_of_scopes(house: House) -> None:
    assert house.api is not None

    assert {each.scope for each in house.api.commands.operations} == {
        Scope.CHANNELS, Scope.USERS, Scope.OPERATE,
    }  # fmt: skip
    assert len(house.api.commands.operations) == 20


async def test_in_a_batch_each_command_needs_its_own_scope(
    house: House, http: httpx.AsyncClient
) -> None:
    _, key = await house.api_keys.create("shop", frozenset({Scope.CHANNELS}))
    commands = [{"publish": PUBLISH}, {"disconnect": {"user": "a"}}]

    answer = (await ask(http, "batch", {"commands": commands}, key=key)).json()

    assert answer["replies"][0] == {"publish": {}}
    assert answer["replies"][1]["error"]["code"] == 103


async def test_guessing_is_slowed_down(http: httpx.AsyncClient) -> None:
    codes = [(await ask(http, "info", {}, key=f"guess {n}")).status_code for n in range(25)]

    assert codes[0] == 401
    assert codes[-1] == 429


# --- what is answered --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", ""])
async def test_the_type_of_the_body_does_not_matter(http: httpx.AsyncClient, kind: str) -> None:
    answer = await http.post(
        "/api/publish",
        content=b'{"channel": "kept:1", "data": {}}',
        headers={"x-api-key": FIXED, "content-type": kind},
    )

    assert answer.json()["result"]["offset"] == 1
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_unknown_fields_and_nulls_are_ignored(http: httpx.AsyncClient) -> None:
    body = {**PUBLISH, "tags": None, "version": None, "skip_history": None, "what": "ever"}

    assert (await ask(http, "publish", body)).json() == {"result": {}}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"channel":"a\xff"}', b'{"x":' + b"[" * 2_000, b'"' + b"x" * 1000],
)
async def test_what_is_no_json_is_a_bad_request(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/api/publish", content=body, headers={"x-api-key": FIXED})

    # Nothing at all is a command without fields.
    assert answer.status_code == (400 if body else 200)
    assert answer.json()["error"]["code"] == 107


@pytest.mark.parametrize(
    ("method", "body", "code", "status"),
    [
        ("publish", {"channel": "nowhere:1", "data": 1}, 102, 404),
        ("publish", {"data": 1}, 107, 400),
        ("publish", {"channel": 7, "data": 1}, 107, 400),
        ("publish", [], 107, 400),
        ("presence", {"channel": "passing:1"}, 108, 400),
        (
            "history",
            {"channel": "kept:1", "limit": 1, "since": {"offset": 9, "epoch": "x"}},
            112,
            416,
        ),
        ("subscribe", {"user": "a", "channel": "user:b"}, 103, 403),
        ("nowhere", {}, 104, 404),
    ],
)
async def test_errors_have_a_status_only_for_who_wants_it(
    http: httpx.AsyncClient, method: str, body: object, code: int, status: int
) -> None:
    plain = await ask(http, method, body)
    wanted = await ask(http, method, body, x_centrifugo_error_mode="transport")

    assert plain.status_code == (404 if method == "nowhere" else 200)
    assert plain.json()["error"]["code"] == code
    assert wanted.status_code == status
    assert wanted.json()["code"] == code
    assert wanted.json()["message"]


async def test_only_post_is_answered(http: httpx.AsyncClient) -> None:
    for verb in ("GET", "PUT", "DELETE", "OPTIONS", "HEAD"):
        answer = await http.request(verb, "/api/publish", headers={"x-api-key": FIXED})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_body_has_a_size(http: httpx.AsyncClient) -> None:
    async def without_length() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1_000

    said = await ask(http, "publish", {"channel": "passing:1", "data": "x" * 3_000})
    unsaid = await http.post("/api/publish", content=without_length(), headers={"x-api-key": FIXED})

    assert (said.status_code, unsaid.status_code) == (413, 413)
    assert said.json()["code"] == "body_too_large"


async def test_a_body_must_arrive_in_time(http: httpx.AsyncClient) -> None:
    stalled = asyncio.Event()

    async def never_ending() -> AsyncIterator[bytes]:
        yield b"{"
        await stalled.wait()

    answer = await http.post("/api/publish", content=never_ending(), headers={"x-api-key": FIXED})

    assert answer.status_code == 408


async def test_a_request_keeps_its_name(http: httpx.AsyncClient) -> None:
    named = await ask(http, "publish", PUBLISH, x_request_id="order-17")
    refused = await ask(http, "publish", PUBLISH, key="", x_request_id="order-18")
    strange = await ask(http, "publish", PUBLISH, x_request_id="a b")

    assert named.headers["x-request-id"] == "order-17"
    assert refused.headers["x-request-id"] == "order-18"
    assert len(strange.headers["x-request-id"]) == 32


async def test_a_batch_does_all_it_can(http: httpx.AsyncClient) -> None:
    commands: list[object] = [
        {"publish": {"channel": "kept:1", "data": 1}},
        {"publish": {"channel": 1}},
        None,
    ]

    one = (await ask(http, "batch", {"commands": commands})).json()
    other = (await ask(http, "batch", {"commands": [{}, {"batch": {}}], "parallel": True})).json()

    assert [list(each) for each in one["replies"]] == [["publish"], ["error"], ["error"]]
    assert [each["error"]["code"] for each in other["replies"]] == [104, 104]


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("batch", {"commands": [{"info": {}}] * 4}),
        ("broadcast", {"channels": ["kept:1"] * 4, "data": 1}),
    ],
)
async def test_one_request_asks_for_so_much(
    http: httpx.AsyncClient, method: str, body: object
) -> None:
    answer = (await ask(http, method, body)).json()

    assert answer["error"]["code"] == 107
    assert "at most 3" in answer["error"]["message"]


async def test_the_old_form_has_the_method_inside(http: httpx.AsyncClient) -> None:
    text = '{"method":"publish","params":{"channel":"kept:1","data":{}}}\n{"id":2,"method":"info"}'

    answer = await http.post("/api", content=text, headers={"authorization": f"apikey {FIXED}"})
    nothing = await http.post("/api", content=b"", headers={"authorization": f"apikey {FIXED}"})

    first, second = answer.text.splitlines()
    assert first.startswith('{"result":{"offset":1')
    assert second.startswith('{"id":2,"result":{"nodes":[{"uid"')
    assert nothing.status_code == 400


async def test_an_order_about_a_channel_without_history_is_kept_once_under_a_key(
    http: httpx.AsyncClient,
) -> None:
    body = {**PUBLISH, "idempotency_key": "once"}

    assert (await ask(http, "publish", body)).json() == {"result": {}}
    assert (await ask(http, "publish", body)).json() == {"result": {}}


async def test_errors_are_counted_by_method_and_number(
    house: House, http: httpx.AsyncClient
) -> None:
    await ask(http, "publish", {"channel": "nowhere:1", "data": 1})
    await ask(http, "never-heard-of", {})

    text = house.metrics.exposition().decode()
    assert 'messaging_api_errors_total{error="102",method="publish"} 1.0' in text
    assert 'messaging_api_errors_total{error="104",method=""} 1.0' in text
    assert "never-heard-of" not in text


async def test_a_process_without_connections_has_no_server_api(settings: Settings) -> None:
    house = build(settings, roles=frozenset({ServerRole.RELAY}))
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://zaffa.test") as http:
        answer = await ask(http, "publish", PUBLISH)

    assert answer.status_code == 404


async def test_times_are_in_seconds_since_1970(house: House, http: httpx.AsyncClient) -> None:
    soon = int(time.time()) + 60
    far = {"user": "a", "expire_at": 10**12}

    assert (await ask(http, "refresh", {"user": "a", "expire_at": soon})).json() == {"result": {}}
    assert (await ask(http, "refresh", far)).json()["error"]["code"] == 107
    assert (await ask(http, "refresh", {**far, "expire_at": -1})).json()["error"]["code"] == 107


def document_of(body: Mapping[str, Any], method: str) -> Any:
    return body["paths"][f"/api/{method}"]["post"]


async def test_a_document_describes_every_method(house: House, http: httpx.AsyncClient) -> None:
    document = (await http.get("/api/openapi.json")).json()

    assert house.api is not None
    described = {path.removeprefix("/api/") for path in document["paths"]}
    assert described == {*house.api.commands.methods, "batch"}
    publish = document_of(document, "publish")
    fields = publish["requestBody"]["content"]["application/json"]["schema"]
    assert fields["required"] == ["channel"]
    assert {"data", "b64data", "tags", "idempotency_key", "version"} <= fields["properties"].keys()
    answer = publish["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["properties"].keys() == {"result", "error"}
