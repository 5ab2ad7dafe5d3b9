"""What APNs checks, and what it costs a connection."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from notifications.sandbox.apns_rules import reason_against
from notifications.sandbox.sandbox import Sandbox
from tests.support.clock import ManualClock
from tests.support.sandbox import APNS_ADDRESS

BODY = b'{"aps":{"alert":"x"}}'
GOOD = {"apns-topic": "app.zaffa.demo", "apns-push-type": "alert"}


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """One HTTP/2 connection."""
    tls = ssl.create_default_context(cafile=str(sandbox.files.authority))
    base = f"https://{sandbox.apns_address}"
    async with httpx.AsyncClient(verify=tls, base_url=base, http1=False, http2=True) as client:
        yield client


def bearer(sandbox: Sandbox, clock: ManualClock, *, kid: str = "", **claims: Any) -> str:
    files = sandbox.files
    sound = {"iss": files.team_id, "iat": int(clock.now().timestamp())}
    key = files.apns_key.read_text()
    return "bearer " + jwt.encode(
        sound | claims, key, algorithm="ES256", headers={"kid": kid or files.key_id}
    )


async def reason(
    http: httpx.AsyncClient, authorization: str, *, path: str = f"/3/device/{APNS_ADDRESS}"
) -> str:
    headers = GOOD | ({"authorization": authorization} if authorization else {})
    answer = await http.post(path, headers=headers, content=BODY)
    return "" if answer.status_code == 200 else str(answer.json()["reason"])


@pytest.mark.parametrize(
    ("headers", "body", "address", "expected"),
    [
        (GOOD, BODY, APNS_ADDRESS, None),
        ({"apns-push-type": "alert"}, BODY, APNS_ADDRESS, "MissingTopic"),
        (GOOD | {"apns-topic": "no topic"}, BODY, APNS_ADDRESS, "BadTopic"),
        (GOOD | {"apns-topic": "another.app"}, BODY, APNS_ADDRESS, "TopicDisallowed"),
        (GOOD | {"apns-push-type": "loud"}, BODY, APNS_ADDRESS, "InvalidPushType"),
        (GOOD | {"apns-push-type": "voip"}, BODY, APNS_ADDRESS, "TopicDisallowed"),
        (GOOD | {"apns-id": "no-uuid"}, BODY, APNS_ADDRESS, "BadMessageId"),
        (GOOD | {"apns-priority": "7"}, BODY, APNS_ADDRESS, "BadPriority"),
        (
            GOOD | {"apns-push-type": "background", "apns-priority": "10"},
            BODY,
            APNS_ADDRESS,
            "BadPriority",
        ),
        (GOOD | {"apns-expiration": "soon"}, BODY, APNS_ADDRESS, "BadExpirationDate"),
        (GOOD | {"apns-collapse-id": "x" * 64}, BODY, APNS_ADDRESS, None),
        (GOOD | {"apns-collapse-id": "غ" * 33}, BODY, APNS_ADDRESS, "BadCollapseId"),
        (GOOD, b"", APNS_ADDRESS, "PayloadEmpty"),
        (GOOD, b"not json", APNS_ADDRESS, "PayloadEmpty"),
        (GOOD, b"[]", APNS_ADDRESS, "PayloadEmpty"),
        (GOOD, b'{"a":"' + b"x" * 4088 + b'"}', APNS_ADDRESS, None),
        (GOOD, b'{"a":"' + b"x" * 4089 + b'"}', APNS_ADDRESS, "PayloadTooLarge"),
        (GOOD, BODY, "", "MissingDeviceToken"),
        (GOOD, BODY, "xyz", "BadDeviceToken"),
    ],
)
def test_apns_names_what_is_wrong(
    headers: dict[str, str], body: bytes, address: str, expected: str | None
) -> None:
    found = reason_against(headers, frozenset(), body, address, topic="app.zaffa.demo")

    assert found == expected


def test_a_header_that_comes_twice_is_refused() -> None:
    twice = frozenset({"apns-topic"})

    found = reason_against(GOOD, twice, BODY, APNS_ADDRESS, topic="app.zaffa.demo")

    assert found == "DuplicateHeaders"


async def test_an_accepted_push_gets_an_empty_answer_and_its_own_id_back(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    own = "0190f2a0-0000-7000-8000-000000000001"
    headers = GOOD | {"apns-id": own, "authorization": bearer(sandbox, clock)}

    answer = await http.post(f"/3/device/{APNS_ADDRESS}", headers=headers, content=BODY)

    assert (answer.status_code, answer.content, answer.headers["apns-id"]) == (200, b"", own)


async def test_provider_tokens_are_checked(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    now = int(clock.now().timestamp())
    tokens = {
        "": "MissingProviderToken",
        "bearer nonsense": "InvalidProviderToken",
        bearer(sandbox, clock, kid="OTHERKEY00"): "InvalidProviderToken",
        bearer(sandbox, clock, iss="OTHERTEAM0"): "InvalidProviderToken",
        bearer(sandbox, clock, iat=now + 3600): "InvalidProviderToken",
        bearer(sandbox, clock)[:-6] + "AAAAAA": "InvalidProviderToken",
        bearer(sandbox, clock, iat=now - 3601): "ExpiredProviderToken",
        bearer(sandbox, clock, iat=now - 3599): "",
    }

    found = {token: await reason(http, token) for token in tokens}

    assert found == tokens


async def test_a_token_may_be_updated_once_in_twenty_minutes(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    found = []
    for minutes in (0, 5, 5, 16):
        clock.move(minutes=minutes)
        found.append(await reason(http, bearer(sandbox, clock)))

    assert found == ["", "", "TooManyProviderTokenUpdates", ""]


async def test_paths_and_methods_that_apns_does_not_know(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    token = bearer(sandbox, clock)

    assert await reason(http, token, path="/4/device/ab") == "BadPath"
    assert (await http.get(f"/3/device/{APNS_ADDRESS}")).json() == {"reason": "MethodNotAllowed"}


async def test_many_bad_addresses_cost_the_connection(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: ManualClock
) -> None:
    token = bearer(sandbox, clock)
    found = {await reason(http, token, path="/3/device/zz") for _ in range(99)}

    # httpx, like h2, does not read what follows a GOAWAY.
    with pytest.raises(httpx.RemoteProtocolError, match="last_stream_id:199"):
        await reason(http, token, path="/3/device/zz")

    assert found == {"BadDeviceToken"}
    assert await reason(http, token) == ""
