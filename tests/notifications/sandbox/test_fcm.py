"""What FCM checks, told by raw requests over HTTP/1.1 and HTTP/2."""

import json
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest

from notifications.sandbox.faults import Fault
from notifications.sandbox.fcm import UNMETERED
from notifications.sandbox.fcm_rules import Message, Violation, check
from notifications.sandbox.sandbox import Sandbox
from tests.support.clock import ManualClock
from tests.support.sandbox import running_sandbox

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
async def http(
    request: pytest.FixtureRequest, sandbox: Sandbox
) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever takes this runs over both versions."""
    tls = ssl.create_default_context(cafile=str(sandbox.files.authority))
    base = sandbox.fcm_endpoint.removesuffix("/v1/projects")
    second = request.param == "HTTP/2"
    async with httpx.AsyncClient(
        verify=tls, base_url=base, http1=not second, http2=second
    ) as client:
        yield client


def assertion(sandbox: Sandbox, clock: ManualClock, **claims: Any) -> str:
    account = json.loads(sandbox.files.service_account.read_bytes())
    now = int(clock.now().timestamp())
    sound = {
        "iss": account["client_email"],
        "scope": SCOPE,
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode(sound | claims, account["private_key"], algorithm="RS256")


async def bearer(http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock) -> dict[str, str]:
    form = {"grant_type": GRANT, "assertion": assertion(sandbox, clock)}
    answer = await http.post("/token", data=form)
    assert answer.json()["expires_in"] == 3599
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def send(http: httpx.AsyncClient, headers: dict[str, str], **message: Any) -> httpx.Response:
    path = "/v1/projects/zaffa-sandbox/messages:send"
    return await http.post(path, headers=headers, json={"message": message})


async def test_both_http_versions_carry_a_push(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock, request: pytest.FixtureRequest
) -> None:
    headers = await bearer(http, sandbox, clock)

    answer = await send(http, headers, token="sandbox-phone", notification={"title": "زفاف"})

    [arrival] = sandbox.arrivals.after()
    assert answer.json() == {"name": arrival.provider_id}
    assert answer.http_version in request.node.name


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere/token"},
        {"iss": "somebody@else"},
        {"scope": "https://www.googleapis.com/auth/drive"},
        {"exp": 2_000_000_000},
        {"iat": 1_500_000_000, "exp": 1_500_003_600},
        {"iat": "now"},
    ],
)
async def test_an_assertion_that_lies_gets_no_bearer(
    claims: dict[str, Any], http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    form = {"grant_type": GRANT, "assertion": assertion(sandbox, clock, **claims)}

    answer = await http.post("/token", data=form)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_an_assertion_signed_by_another_key_gets_no_bearer(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    forged = assertion(sandbox, clock)[:-8] + "AAAAAAAA"

    answer = await http.post("/token", data={"grant_type": GRANT, "assertion": forged})

    assert answer.json()["error"] == "invalid_grant"


async def test_a_bearer_lives_for_3599_seconds(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    headers = await bearer(http, sandbox, clock)
    clock.move(seconds=3598)
    assert (await send(http, headers, token="sandbox-phone")).status_code == 200

    clock.move(seconds=1)
    answer = await send(http, headers, token="sandbox-phone")

    assert answer.status_code == 401
    assert answer.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_EXPIRED"


async def test_a_bearer_nobody_gave_out_is_refused_without_details(
    http: httpx.AsyncClient,
) -> None:
    answer = await send(http, {"authorization": "Bearer x"}, token="sandbox-phone")

    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (401, "UNAUTHENTICATED")
    assert "details" not in error


async def test_the_front_end_speaks_html(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    headers = await bearer(http, sandbox, clock)

    answer = await send(http, headers, token="sandbox-bad-gateway")

    assert answer.status_code == 502
    assert answer.headers["content-type"] == "text/html"
    assert "Please try again in 30 seconds" in answer.text
    assert (await http.get("/")).status_code == 404


async def test_a_device_has_a_quota_a_minute_that_starts_with_its_first_push(
    credentials: Any, clock: ManualClock
) -> None:
    async with running_sandbox(credentials.directory, clock=clock, device_per_minute=2) as sandbox:
        tls = ssl.create_default_context(cafile=str(sandbox.files.authority))
        base = sandbox.fcm_endpoint.removesuffix("/v1/projects")
        async with httpx.AsyncClient(verify=tls, base_url=base) as http:
            headers = await bearer(http, sandbox, clock)
            clock.move(seconds=40)
            statuses = [(await send(http, headers, token="one-phone")).status_code for _ in "123"]
            other = (await send(http, headers, token="another-phone")).status_code
            clock.move(seconds=59)
            still = (await send(http, headers, token="one-phone")).status_code
            clock.move(seconds=1)
            again = (await send(http, headers, token="one-phone")).status_code

    assert statuses == [200, 200, 429]
    assert (other, still, again) == (200, 429, 200)


async def test_an_unmetered_address_has_no_quota_of_its_own(
    credentials: Any, clock: ManualClock
) -> None:
    async with running_sandbox(credentials.directory, clock=clock, device_per_minute=1) as sandbox:
        tls = ssl.create_default_context(cafile=str(sandbox.files.authority))
        base = sandbox.fcm_endpoint.removesuffix("/v1/projects")
        async with httpx.AsyncClient(verify=tls, base_url=base) as http:
            headers = await bearer(http, sandbox, clock)
            answers = [await send(http, headers, token=f"{UNMETERED}-1") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}


async def test_a_project_has_a_quota_and_says_when_it_is_filled_again(
    credentials: Any, clock: ManualClock
) -> None:
    async with running_sandbox(credentials.directory, clock=clock, project_per_minute=1) as sandbox:
        tls = ssl.create_default_context(cafile=str(sandbox.files.authority))
        base = sandbox.fcm_endpoint.removesuffix("/v1/projects")
        async with httpx.AsyncClient(verify=tls, base_url=base) as http:
            headers = await bearer(http, sandbox, clock)
            await send(http, headers, token="one-phone")
            clock.move(seconds=20)
            answer = await send(http, headers, token="another-phone")

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "40"


async def test_a_script_holds_within_its_window_for_its_prefix_and_its_times(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    headers = await bearer(http, sandbox, clock)
    sandbox.faults.add(
        Fault(
            "fcm",
            "UNAVAILABLE",
            prefix="poor-",
            starts_at=clock.now() + timedelta(seconds=10),
            ends_at=clock.now() + timedelta(seconds=20),
            times=1,
        )
    )

    async def status(address: str) -> int:
        return (await send(http, headers, token=address)).status_code

    assert await status("poor-phone") == 200
    clock.move(seconds=10)
    assert [await status("rich-phone"), await status("poor-phone")] == [200, 503]
    assert await status("poor-phone") == 200
    sandbox.faults.add(Fault("fcm", "UNAVAILABLE", ends_at=clock.now()))
    assert await status("poor-phone") == 200


GOOD: dict[str, Any] = {"token": "sandbox-phone", "data": {"k": "v"}}


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({}, "message"),
        ({"token": "sandbox-phone", "topic": "news"}, "message"),
        ({"token": "not a token"}, "message.token"),
        ({"fid": "short"}, "message.fid"),
        ({"topic": "/topics/news"}, "message.topic"),
        (GOOD | {"data": {"n": 1}}, "message.data[n]"),
        (GOOD | {"data": {"from": "x"}}, "message.data"),
        (GOOD | {"data": {"google.x": "x"}}, "message.data"),
        (GOOD | {"data": {"gcm.x": "x"}}, "message.data"),
        (GOOD | {"data": []}, "message.data"),
        (GOOD | {"colour": "red"}, "message"),
        (GOOD | {"notification": {"subtitle": "x"}}, "message.notification"),
        (GOOD | {"notification": {"title": 5}}, "message.notification.title"),
        (GOOD | {"android": {"ttl": 3600}}, "message.android.ttl"),
        (GOOD | {"android": {"ttl": "3600"}}, "message.android.ttl"),
        (GOOD | {"android": {"ttl": "2419201s"}}, "message.android.ttl"),
        (GOOD | {"android": {"priority": "URGENT"}}, "message.android.priority"),
        (GOOD | {"android": {"notification": {"tags": "x"}}}, "message.android.notification"),
        (GOOD | {"apns": {"headers": {"apns-priority": 5}}}, "message.apns.headers[apns-priority]"),
        (
            GOOD | {"apns": {"fcm_options": {"analytics_label": "with space"}}},
            "message.apns.fcm_options.analytics_label",
        ),
        (
            GOOD | {"webpush": {"fcm_options": {"link": "http://app.example"}}},
            "message.webpush.fcm_options.link",
        ),
        (GOOD | {"webpush": {"fcm_options": {"image": ""}}}, "message.webpush.fcm_options"),
        (
            GOOD | {"fcm_options": {"analytics_label": "with space"}},
            "message.fcm_options.analytics_label",
        ),
        ("text", "message"),
    ],
)
def test_fcm_names_the_field_that_is_wrong(message: object, field: str) -> None:
    violation = check(message)

    assert isinstance(violation, Violation)
    assert violation.field == field


@pytest.mark.parametrize(("target", "room"), [("token", 4096), ("topic", 2048)])
def test_a_message_that_is_too_big_is_refused_without_a_field(target: str, room: int) -> None:
    fits = {target: "sandbox-phone", "data": {"k": "غ" * ((room - 1) // 2)}}
    too_big = {target: "sandbox-phone", "data": {"kk": "غ" * (room // 2)}}

    assert isinstance(check(fits), Message)
    assert check(too_big) == Violation("Android message is too big")


def test_json_may_spell_fields_in_camel_case() -> None:
    message = {"token": "sandbox-phone", "fcmOptions": {"analyticsLabel": "a"}}
    android = {"collapseKey": "c", "notification": {"channelId": "chat"}}

    assert isinstance(check(message | {"android": android}), Message)
