"""Operations over HTTP: what goes in, what comes out, and how a no is said."""

import asyncio
import json
from typing import ClassVar
from uuid import uuid4

import httpx
import pytest

from kernel.errors import Unavailable
from kernel.identity import Scope
from server.app import create_app
from server.house import House
from server.options import ServerOptions
from tests.server.conftest import Asked
from tests.support.tokens import access_token

DEEP = '{"subject":"s","body":' + "[" * 15_000
LETTER = {"subject": "الزفّة", "body": {"text": "مرحبا"}}


async def test_path_and_body_make_one_input(asked: Asked):
    answer = await asked.as_user("POST", "/v1/boxes/7/letters", json=LETTER)

    assert answer.status_code == 201
    assert answer.json() == {"by": "amina", "box": 7, "copies": 1, **LETTER}


async def test_json_that_passes_through_is_never_encoded_again(asked: Asked):
    body = '{"subject":"s","body":{"b" : 1.50, "a":"\\u0645", "n": 12345678901234567890}}'

    answer = await asked.as_user(
        "POST", "/v1/boxes/7/letters", content=body, headers={"content-type": "application/json"}
    )

    assert b'"body":{"b" : 1.50, "a":"\\u0645", "n": 12345678901234567890}' in answer.content


async def test_the_query_string_is_read_by_type(asked: Asked):
    answer = await asked.as_user("GET", "/v1/letters?limit=5&urgent=true&tags=a&tags=b")

    assert answer.json() == {"limit": 5, "tags": ["a", "b"], "urgent": True}


async def test_what_streams_is_a_line_for_each_value(asked: Asked):
    answer = await asked.as_user("GET", "/v1/letters/arriving?limit=3")

    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines() if line]
    assert [each["limit"] for each in lines] == [1, 2, 3]


async def test_what_cannot_begin_to_stream_is_refused_like_anything_else(asked: Asked):
    answer = await asked.as_user("GET", "/v1/letters/arriving?urgent=true")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_nothing_comes_back_as_204(asked: Asked):
    answer = await asked.as_user("DELETE", f"/v1/letters/{uuid4()}")

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "rule"),
    [
        ("POST", "/v1/boxes/7/letters", '{"body":{}}', "subject", "is required"),
        ("POST", "/v1/boxes/7/letters", '{"subject":1,"body":{}}', "subject", "expected `str`"),
        ("POST", "/v1/boxes/7/letters", '{"subject":"","body":{}}', "subject", "length >= 1"),
        ("POST", "/v1/boxes/7/letters", '{"subject":"s","body":{},"x":1}', "x", "not a known"),
        ("POST", "/v1/boxes/7/letters", '{"subject":"s","body":{},"copies":"2"}', "copies", "int"),
        ("POST", "/v1/boxes/7/letters", '{"subject":"s","body":{},"box":8}', "box", "in the path"),
        ("POST", "/v1/boxes/x/letters", '{"subject":"s","body":{}}', "box", "expected `int`"),
        ("POST", "/v1/boxes/7/letters", "[]", "body", "JSON object"),
        ("POST", "/v1/boxes/7/letters", "{", "body", "not valid JSON"),
        ("POST", "/v1/boxes/7/letters", "[" * 1_500, "body", "JSON object"),
        ("POST", "/v1/boxes/7/letters", DEEP, "body", "nests too deep"),
        ("POST", "/v1/boxes/7/letters", '{"subject":"\\ud800","body":{}}', "body", "not valid"),
        ("GET", "/v1/letters?limit=0", "", "limit", ">= 1"),
        ("GET", "/v1/letters?limit=five", "", "limit", "expected `int`"),
        ("GET", "/v1/letters?limt=5", "", "limt", "not a known"),
        ("GET", "/v1/letters?limit=1&limit=2", "", "limit", "more than once"),
        ("GET", "/v1/letters/none", "", "id", "invalid UUID"),
        ("GET", "/v1/letters/01935b7e-8a3b-7c9e-9f43-7a5f4d2c1b0a?id=x", "", "id", "in the path"),
    ],
)
async def test_what_breaks_a_rule_names_field_and_rule(
    asked: Asked, method, path, body, field, rule
):
    headers = {"content-type": "application/json"} if body else {}

    answer = await asked.as_user(method, path, content=body, headers=headers)

    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "invalid_input")
    assert told["details"]["field"] == field
    assert rule.lower() in told["details"]["rule"].lower()


async def test_bytes_that_are_no_text_are_refused(asked: Asked):
    answer = await asked.as_user(
        "POST",
        "/v1/boxes/7/letters",
        content=b'{"subject":"s","body":{"a":"\xff"}}',
        headers={"content-type": "application/json"},
    )

    assert answer.json()["details"] == {"field": "body", "rule": "is not UTF-8"}


async def test_a_body_of_another_kind_is_refused(asked: Asked):
    answer = await asked.as_user("POST", "/v1/boxes/7/letters", data={"subject": "s"})

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("told", [True, False], ids=["with its length", "in chunks"])
async def test_a_body_over_the_limit_is_refused(asked: Asked, told):
    whole = json.dumps({"subject": "s", "body": {"text": "x" * 20_000}}).encode()

    async def chunks():
        for start in range(0, len(whole), 500):
            yield whole[start : start + 500]

    answer = await asked.as_user(
        "POST",
        "/v1/boxes/7/letters",
        content=whole if told else chunks(),
        headers={"content-type": "application/json"},
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_refusal_keeps_its_code_message_and_details(asked: Asked):
    letter_id = uuid4()

    answer = await asked.as_user("GET", f"/v1/letters/{letter_id}")

    assert answer.status_code == 404
    assert answer.json() == {
        "code": "letter.lost",
        "message": "There is no such letter.",
        "details": {"id": str(letter_id)},
    }


async def test_what_is_unavailable_says_when_to_come_back(asked: Asked):
    answer = await asked.as_user("POST", "/v1/rest")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_a_bug_is_answered_without_its_story(asked: Asked):
    answer = await asked.as_user("POST", "/v1/break", headers={"x-request-id": "r-77"})

    assert answer.status_code == 500
    assert answer.json() == {
        "code": "internal",
        "message": "Something went wrong on our side.",
        "details": {"request_id": "r-77"},
    }
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_who_asks_too_much_is_told_when_to_come_back(asked: Asked):
    for _ in range(50):
        assert (await asked.as_user("GET", "/v1/letters", user="eager")).status_code == 200

    answer = await asked.as_user("GET", "/v1/letters", user="eager")

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await asked.as_user("GET", "/v1/letters", user="calm")).status_code == 200


async def test_an_unknown_path_and_a_wrong_method_are_errors_like_any_other(asked: Asked):
    unknown = await asked.as_user("GET", "/v1/nothing")
    wrong = await asked.as_user("PUT", "/v1/letters")

    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]


async def test_a_request_keeps_its_own_name(asked: Asked):
    given = await asked.http.get("/livez", headers={"x-request-id": "shop-1"})
    odd = await asked.http.get("/livez", headers={"x-request-id": "a b\tc"})

    assert given.headers["x-request-id"] == "shop-1"
    assert odd.headers["x-request-id"] not in ("", "a b\tc")


async def test_a_path_has_one_spelling(asked: Asked):
    answer = await asked.as_user("GET", "/v1/letters/")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "HEAD"])
async def test_a_method_that_is_not_served_is_an_error_like_any_other(asked: Asked, method):
    answer = await asked.as_user(method, "/v1/rest")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_head_is_get_without_the_body(asked: Asked):
    answer = await asked.as_user("HEAD", "/v1/letters")

    assert answer.status_code == 200


class TestPagesOfOtherOrigins:
    """Browsers ask whether a page may call us; that is the operator's choice."""

    PREFLIGHT: ClassVar = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }

    async def test_they_may_not_unless_they_are_named(self, asked: Asked):
        answer = await asked.http.options("/v1/rest", headers=self.PREFLIGHT)

        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize(
        ("origins", "allowed"),
        [(("https://shop.example",), True), (("*",), True), (("https://other.example",), False)],
    )
    async def test_those_that_are_named_may(self, house: House, origins, allowed):
        house.origins = origins
        transport = httpx.ASGITransport(create_app(house))
        async with httpx.AsyncClient(transport=transport, base_url="http://zaffa.test") as http:
            asked_first = await http.options("/v1/rest", headers=self.PREFLIGHT)
            answer = await http.post("/v1/rest", headers={"origin": "https://shop.example"})

        assert (asked_first.status_code == 200) is allowed
        assert ("access-control-allow-origin" in answer.headers) is allowed


class TestStrangers:
    """Who comes with bad credentials again and again has to wait."""

    @pytest.fixture
    def options(self) -> ServerOptions:
        return ServerOptions(failures_per_second=1.0, failures_burst=5)

    @pytest.mark.parametrize("path", ["/v1/letters", "/admin/v1/inspect"])
    async def test_guessing_becomes_slow_whatever_is_guessed(self, asked: Asked, path):
        method = "GET" if path.startswith("/v1") else "POST"
        answers = [
            await asked.http.request(
                method, path, headers={"authorization": f"Bearer zaffa_{number:032x}_0"}
            )
            for number in range(7)
        ]

        assert [each.status_code for each in answers] == [401] * 5 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) >= 1

    async def test_good_credentials_count_for_nothing(self, asked: Asked):
        answers = [await asked.as_user("GET", "/v1/letters") for _ in range(20)]

        assert {each.status_code for each in answers} == {200}

    async def test_another_address_does_not_wait(self, asked: Asked, house: House):
        app = create_app(house)
        statuses = {}
        for address in ("192.0.2.1", "192.0.2.2"):
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
                for _ in range(6 if address == "192.0.2.1" else 1):
                    answer = await http.get("/v1/letters", headers={"authorization": "Bearer x"})
                statuses[address] = answer.status_code

        assert statuses == {"192.0.2.1": 429, "192.0.2.2": 401}


async def test_a_body_that_does_not_arrive_is_not_waited_for(house: House):
    house.options = ServerOptions(body_seconds=0.05)
    token = access_token("amina", now=house.clock.now())
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    async def trickle():
        yield b"{"
        await asyncio.Event().wait()

    transport = httpx.ASGITransport(create_app(house))
    async with httpx.AsyncClient(transport=transport, base_url="http://zaffa.test") as http:
        answer = await http.post("/v1/boxes/7/letters", content=trickle(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"


class TestWhoMayAsk:
    """Each gateway takes its own kind of credential, and no other."""

    @pytest.mark.parametrize("path", ["/v1/letters", "/admin/v1/inspect"])
    async def test_nobody_is_refused(self, asked: Asked, path):
        method = "GET" if path.startswith("/v1") else "POST"

        answer = await asked.http.request(method, path)

        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "zaffa_nothing"])
    async def test_a_forged_token_is_refused(self, asked: Asked, token):
        headers = {"authorization": f"Bearer {token}"}

        answer = await asked.http.get("/v1/letters", headers=headers)

        assert answer.status_code == 401

    async def test_a_users_token_does_not_open_the_admin_gateway(self, asked: Asked):
        answer = await asked.as_user("POST", "/admin/v1/inspect")

        assert answer.status_code == 401

    async def test_an_api_key_does_not_open_the_client_gateway(self, asked: Asked):
        headers = {"authorization": f"Bearer {await asked.key(*Scope)}"}

        assert (await asked.http.get("/v1/letters", headers=headers)).status_code == 401

    @pytest.mark.parametrize("header", ["x-api-key", "bearer", "apikey"])
    async def test_a_key_with_the_scope_may_whatever_header_brings_it(self, asked: Asked, header):
        key = await asked.key(Scope.OPERATE)
        headers = {"x-api-key": key}
        if header != "x-api-key":
            headers = {"authorization": f"{header} {key}"}

        assert (await asked.http.post("/admin/v1/inspect", headers=headers)).status_code == 200

    async def test_a_key_without_the_scope_may_not(self, asked: Asked):
        headers = {"x-api-key": await asked.key(Scope.USERS)}

        answer = await asked.http.post("/admin/v1/inspect", headers=headers)

        assert (answer.status_code, answer.json()["details"]) == (403, {"scope": "operate"})


class TestHealth:
    """What load balancers ask."""

    async def test_a_node_that_works_is_ready(self, asked: Asked):
        answer = await asked.http.get("/readyz")

        assert (answer.status_code, answer.json()["ready"]) == (200, True)

    async def test_a_node_that_leaves_is_alive_but_not_ready(self, asked: Asked, house: House):
        house.draining = True

        answer = await asked.http.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["checks"]["draining"] == "this node is leaving"
        assert (await asked.http.get("/livez")).status_code == 200

    async def test_a_node_without_its_database_is_not_ready(self, asked: Asked, house: House):
        async def unreachable() -> None:
            raise Unavailable("The database does not answer.")

        house.database.check = unreachable  # type: ignore[method-assign]

        answer = await asked.http.get("/readyz")

        assert answer.json()["checks"]["database"] == "The database does not answer."

    async def test_numbers_are_in_prometheus_format(self, asked: Asked):
        await asked.as_user("GET", "/v1/letters")

        text = (await asked.http.get("/metrics")).text

        assert 'server_requests_total{operation="letters.find",status="200"} 1.0' in text

    async def test_a_port_that_nodes_share_gives_no_numbers(self, asked: Asked, house: House):
        house.shared_port = 8000
        asked.http.base_url = "http://zaffa.test:8000"

        answer = await asked.http.get("/metrics")

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
