"""Our Web Push judged by a push service that is not ours: web-push-testing from npm."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kernel.clock import SystemClock
from notifications.adapters.webpush import WebPushOptions, WebPushProvider
from notifications.sandbox.credentials import Files
from notifications.sandbox.webpush_rules import point_of
from notifications.subscriptions import base64url
from notifications.types import AddressKind, Attempt, Verdict
from tests.support.node import install, node
from tests.support.sandbox import attempt, open_webpush
from tests.support.servers import free_port

pytestmark = pytest.mark.external

JUDGES = Path(__file__).parent / "judges"


@dataclass(frozen=True, slots=True)
class Foreign:
    """The service, and TLS in front of it, which it does not speak itself."""

    http: httpx.AsyncClient
    origin: str

    async def subscription(self, public_key: str) -> dict[str, Any]:
        form = {"userVisibleOnly": "true", "applicationServerKey": public_key}
        made: dict[str, Any] = (await self.http.post("/subscribe", data=form)).json()["data"]
        return made

    def push(self, subscription: dict[str, Any], **fields: Any) -> Attempt:
        endpoint = f"{self.origin}/notify/{subscription['clientHash']}"
        keys = {name: subscription["keys"][name] for name in ("auth", "p256dh")}
        address = json.dumps({"endpoint": endpoint, "keys": keys})
        return attempt(AddressKind.WEBPUSH, now=SystemClock().now(), address=address, **fields)

    async def read(self, subscription: dict[str, Any]) -> list[Any]:
        asked = {"clientHash": subscription["clientHash"]}
        told = (await self.http.post("/get-notifications", json=asked)).json()
        return [json.loads(each) for each in told["data"]["messages"]]


@pytest.fixture
async def foreign(credentials: Files) -> AsyncIterator[Foreign]:
    install(JUDGES)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        node(), JUDGES / "browsers.mjs", str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert b"running" in await process.stdout.readline()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, away = await asyncio.open_connection("localhost", port)
        await asyncio.gather(_copy(reader, away), _copy(there, writer))

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(credentials.certificate, credentials.certificate_key)
    front = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=tls)
    origin = f"https://localhost:{front.sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}") as http:
        yield Foreign(http, origin)
    front.close()
    process.terminate()
    await process.communicate()


@pytest.fixture
async def browsers(foreign: Foreign, credentials: Files) -> AsyncIterator[WebPushProvider]:
    options = WebPushOptions(
        key_file=str(credentials.vapid_key),
        subject="mailto:push@example.org",
        own_service=foreign.origin,
        ca_file=str(credentials.authority),
    )
    async with open_webpush(options, clock=SystemClock()) as opened:
        yield opened


@pytest.fixture
def public_key(credentials: Files) -> str:
    key = load_pem_private_key(credentials.vapid_key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return base64url(point_of(key))


async def test_it_verifies_and_reads_what_ours_sends(
    foreign: Foreign, browsers: WebPushProvider, public_key: str
) -> None:
    subscription = await foreign.subscription(public_key)

    outcomes = await browsers.send(
        [foreign.push(subscription, title=f"زفاف {number}") for number in range(20)]
    )

    read = await foreign.read(subscription)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert {each["notification"]["title"] for each in read} == {f"زفاف {n}" for n in range(20)}


async def test_a_subscription_that_expired_is_gone(
    foreign: Foreign, browsers: WebPushProvider, public_key: str
) -> None:
    subscription = await foreign.subscription(public_key)
    await foreign.http.post(f"/expire-subscription/{subscription['clientHash']}")

    [outcome] = await browsers.send([foreign.push(subscription)])

    assert outcome.verdict is Verdict.TOKEN_GONE


async def test_one_that_was_made_with_another_key_is_refused(
    foreign: Foreign, browsers: WebPushProvider
) -> None:
    other = base64url(point_of(ec.generate_private_key(ec.SECP256R1())))

    [outcome] = await browsers.send([foreign.push(await foreign.subscription(other))])

    assert outcome.verdict is Verdict.REJECTED


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()
