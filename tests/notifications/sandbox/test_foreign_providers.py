"""Our FCM and APNs judged by an emulator that is not ours: mockpost from PyPI."""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from kernel.clock import SystemClock
from notifications.adapters.apns import ApnsProvider
from notifications.adapters.fcm import FcmProvider
from notifications.sandbox.credentials import Files
from notifications.types import AddressKind, Attempt, Verdict
from tests.support.sandbox import (
    apns_options,
    attempt,
    fcm_options,
    open_apns,
    open_fcm,
    running_sandbox,
)
from tests.support.servers import free_port

pytestmark = pytest.mark.external

ROOT = Path(__file__).parents[3]
PHONES = [f"{number:064x}" for number in range(20)]


@dataclass(frozen=True, slots=True)
class Foreign:
    """mockpost, and our providers pointed at it. Google's tokens come from our own sandbox."""

    http: httpx.AsyncClient
    fcm: FcmProvider
    apns: ApnsProvider

    async def arrived(self, channel: str) -> list[dict[str, Any]]:
        asked = {"channel": channel, "limit": 200}
        told: list[dict[str, Any]] = (await self.http.get("/api/messages", params=asked)).json()
        return [{**each, "meta": json.loads(each["meta"])} for each in told]


@pytest.fixture
async def foreign(credentials: Files) -> AsyncIterator[Foreign]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.mockpost",
        str(port), credentials.certificate, credentials.certificate_key,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    assert await process.stdout.readline() == b"ready\n"
    origin, clock = f"https://localhost:{port}", SystemClock()
    trusting = ssl.create_default_context(cafile=credentials.authority)
    async with (
        running_sandbox(credentials.directory, clock=clock) as sandbox,
        open_fcm(
            replace(fcm_options(sandbox), endpoint=f"{origin}/fcm/v1/projects"), clock=clock
        ) as fcm,
        open_apns(
            replace(apns_options(sandbox), production=f"localhost:{port}"), clock=clock
        ) as apns,
        httpx.AsyncClient(base_url=origin, verify=trusting) as http,
    ):
        yield Foreign(http, fcm, apns)
    process.stdin.close()
    await process.wait()


def pushes(kind: AddressKind, **fields: Any) -> list[Attempt]:
    now = SystemClock().now()
    return [
        attempt(kind, now=now, address=each, title=f"زفاف {each[-2:]}", **fields) for each in PHONES
    ]


async def test_it_takes_from_fcm_what_ours_sends(foreign: Foreign):
    outcomes = await foreign.fcm.send(pushes(AddressKind.FCM_TOKEN))

    arrived = await foreign.arrived("fcm")
    assert {each.verdict for each in outcomes} == {Verdict.ACCEPTED}
    assert {each["recipient"]: each["meta"]["title"] for each in arrived} == {
        each: f"زفاف {each[-2:]}" for each in PHONES
    }


async def test_it_takes_from_apns_what_ours_sends(foreign: Foreign):
    sent = pushes(AddressKind.APNS, collapse_key="conversation-7")

    outcomes = await foreign.apns.send(sent)

    arrived = {each["recipient"]: each["meta"] for each in await foreign.arrived("apns")}
    assert {each.verdict for each in outcomes} == {Verdict.ACCEPTED}
    for push in sent:
        meta = arrived.pop(push.address)
        assert meta["apns_id"] == str(push.push_id)
        assert meta["push_type"] == "alert"
        assert meta["priority"] == "10"
        assert meta["collapse_id"] == "conversation-7"
    assert not arrived


@pytest.mark.parametrize(
    ("kind", "channel", "field"),
    [(AddressKind.FCM_TOKEN, "fcm", "token"), (AddressKind.APNS, "apns", "device_token")],
)
async def test_what_it_calls_unregistered_is_gone_and_the_others_arrive(
    foreign: Foreign, kind: AddressKind, channel: str, field: str
):
    gone, *others = sent = pushes(kind)
    await foreign.http.post(f"/{channel}/simulate/unregister", json={field: gone.address})

    provider = foreign.apns if kind is AddressKind.APNS else foreign.fcm
    outcomes = await provider.send(sent)

    assert outcomes[0].verdict is Verdict.TOKEN_GONE
    assert {each.verdict for each in outcomes[1:]} == {Verdict.ACCEPTED}
    assert len(await foreign.arrived(channel)) == len(others)
