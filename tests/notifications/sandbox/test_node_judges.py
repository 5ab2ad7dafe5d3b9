"""Senders for Node.js judge the sandbox, and a reader of theirs judges what we send to browsers."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kernel.clock import SystemClock
from notifications.adapters.webpush import WebPushOptions
from notifications.sandbox.apns import PREFIXES
from notifications.sandbox.credentials import Files
from notifications.sandbox.sandbox import Sandbox
from notifications.sandbox.webpush_rules import point_of
from notifications.subscriptions import base64url
from notifications.types import AddressKind, Verdict
from tests.support.node import install, node
from tests.support.sandbox import APNS_ADDRESS, attempt, open_webpush, running_sandbox

pytestmark = pytest.mark.external

JUDGES = Path(__file__).parent / "judges"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


@pytest.fixture
async def sandbox(credentials: Files) -> AsyncIterator[Sandbox]:
    """These clients read the machine's clock, so the sandbox does too."""
    async with running_sandbox(credentials.directory, clock=SystemClock()) as opened:
        yield opened


@pytest.fixture
def judge(credentials: Files):
    """Give a job to one of the judges; its verdict."""
    install(JUDGES)

    async def ask(name: str, **job: Any) -> Any:
        process = await asyncio.create_subprocess_exec(
            node(),
            JUDGES / "judge.mjs",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(credentials.authority)},
        )
        told, complaints = await process.communicate(json.dumps({"judge": name, **job}).encode())
        assert process.returncode == 0, complaints.decode()
        return json.loads(told)

    return ask


async def bearer_of(sandbox: Sandbox) -> str:
    """What Google's token endpoint would give to the service account."""
    account = json.loads(sandbox.files.service_account.read_bytes())
    now = int(SystemClock().now().timestamp())
    claims = {
        "iss": account["client_email"],
        "scope": SCOPE,
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 3600,
    }
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims, account["private_key"], algorithm="RS256"),
    }
    tls = ssl.create_default_context(cafile=str(sandbox.files.authority))
    async with httpx.AsyncClient(verify=tls) as http:
        answer = await http.post(account["token_uri"], data=form)
    return str(answer.json()["access_token"])


async def test_firebase_admin_for_node_sends_and_recognises_each_error(
    sandbox: Sandbox, judge: Any
) -> None:
    expected = {
        "sandbox-phone": None,
        "sandbox-unregistered": "messaging/registration-token-not-registered",
        "sandbox-sender-id-mismatch": "messaging/mismatched-credential",
        "sandbox-third-party-auth-error": "messaging/third-party-auth-error",
        "sandbox-quota-exceeded": "messaging/message-rate-exceeded",
        "sandbox-invalid-argument": "messaging/invalid-argument",
        "sandbox-internal": "messaging/internal-error",
    }
    notification = {"title": "زفاف سارة", "body": "Demain à 14h"}

    told = await judge(
        "firebase",
        origin=sandbox.fcm_endpoint.removesuffix("/v1/projects"),
        bearer=await bearer_of(sandbox),
        project=sandbox.files.project_id,
        messages=[{"token": token, "notification": notification} for token in expected],
    )

    [arrival] = sandbox.arrivals.after()
    assert told["connections"] == 1
    assert told["responses"] == [arrival.provider_id, *list(expected.values())[1:]]
    assert arrival.title == "زفاف سارة"


async def test_node_apn_sends_and_gets_each_reason(sandbox: Sandbox, judge: Any) -> None:
    asked = {
        reason: next(prefix for prefix, outcome in PREFIXES.items() if outcome == reason)
        for reason in ("Unregistered", "BadDeviceToken", "TopicDisallowed", "PayloadTooLarge")
    }
    bad = {prefix + "0" * 59: reason for reason, prefix in asked.items()}

    told = await judge(
        "apn",
        port=int(sandbox.apns_address.rpartition(":")[2]),
        key=sandbox.files.apns_key.read_text(),
        keyId=sandbox.files.key_id,
        teamId=sandbox.files.team_id,
        topic=sandbox.files.topic,
        addresses=[APNS_ADDRESS, *bad],
        fields={"alert": {"title": "زفاف سارة", "body": "Demain"}, "collapseId": "c1"},
    )

    [arrival] = sandbox.arrivals.after()
    assert told["sent"] == [APNS_ADDRESS]
    assert {device: reason for device, _, reason in told["failed"]} == bad
    assert (arrival.title, arrival.headers["apns-collapse-id"]) == ("زفاف سارة", "c1")


@pytest.mark.parametrize(
    ("name", "options", "status"),
    [
        ("amina", {"TTL": 60, "urgency": "high", "topic": "c1"}, 201),
        ("sandbox-gone", {}, 410),
        ("sandbox-not-found", {}, 404),
        ("sandbox-too-many-requests", {}, 429),
        ("amina", {"contentEncoding": "aesgcm"}, 400),
    ],
)
async def test_web_push_sends_and_gets_each_answer(
    name: str, options: dict[str, Any], status: int, sandbox: Sandbox, judge: Any
) -> None:
    told = await judge(
        "webpush",
        subscription=json.loads(sandbox.webpush.subscribe(name)),
        payload='{"notification":{"title":"زفاف سارة","body":"Demain"}}',
        vapid=_pair(sandbox.files),
        options=options,
    )

    assert told["status"] == status
    for arrival in sandbox.arrivals.after():
        assert (arrival.title, arrival.provider_id) == ("زفاف سارة", told["location"])
        assert arrival.headers == {"ttl": "60", "urgency": "high", "topic": "c1"}
    assert sandbox.arrivals.total == (status == 201)


async def test_a_key_that_the_subscription_was_not_made_with_is_forbidden(
    sandbox: Sandbox, judge: Any
) -> None:
    other = ec.generate_private_key(ec.SECP256R1())

    told = await judge(
        "webpush",
        subscription=json.loads(sandbox.webpush.subscribe("amina")),
        payload="x",
        vapid=_words(other),
        options={},
    )

    assert told == {"status": 403}


async def test_what_ours_sends_to_a_browser_others_can_read_and_verify(
    credentials: Files, judge: Any
) -> None:
    """A receiver that shares no line with us: http_ece decrypts, PyJWT verifies."""
    received: list[tuple[dict[str, str], bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        received.append((dict(request.headers), await request.read()))
        return web.Response(status=201, headers={"Location": "/m/1"})

    app = web.Application()
    app.router.add_post("/push/{name}", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(credentials.certificate, credentials.certificate_key)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    origin = f"https://localhost:{runner.addresses[0][1]}"
    key, auth = ec.generate_private_key(ec.SECP256R1()), b"0123456789abcdef"
    keys = {"p256dh": base64url(point_of(key)), "auth": base64url(auth)}
    options = WebPushOptions(
        key_file=str(credentials.vapid_key),
        subject="mailto:push@example.org",
        own_service=origin,
        ca_file=str(credentials.authority),
    )
    clock = SystemClock()

    async with open_webpush(options, clock=clock) as browsers:
        address = json.dumps({"endpoint": f"{origin}/push/a", "keys": keys})
        sent = attempt(AddressKind.WEBPUSH, now=clock.now(), address=address, title="زفاف")
        [outcome] = await browsers.send([sent])
    await runner.cleanup()

    [(headers, body)] = received
    private = _words(key)["privateKey"]
    told = await judge("read", body=base64url(body), privateKey=private, auth=base64url(auth))
    token = headers["Authorization"].removeprefix("vapid t=").partition(",")[0]
    public = load_pem_private_key(credentials.vapid_key.read_bytes(), None).public_key()
    assert json.loads(told["text"])["notification"]["title"] == "زفاف"
    assert jwt.decode(token, public, algorithms=["ES256"], audience=origin)["sub"]  # type: ignore[arg-type]
    assert (outcome.verdict, outcome.provider_id) == (Verdict.ACCEPTED, "/m/1")


def _pair(files: Files) -> dict[str, str]:
    key = load_pem_private_key(files.vapid_key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return _words(key)


def _words(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    private = key.private_numbers().private_value.to_bytes(32, "big")
    return {"publicKey": base64url(point_of(key)), "privateKey": base64url(private)}
