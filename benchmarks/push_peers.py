"""Senders that are not ours, unmodified, to the same sandbox: each in a process of its own.

They only send: nothing is claimed before and nothing is settled after.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.machine import PEERS, SERVER_CORE, cpu_of, on_core
from benchmarks.sandboxed import Places, address
from notifications.adapters.fcm_bearer import Bearers
from notifications.types import AddressKind
from tests.support.node import install, node

JUDGES = Path(__file__).parents[1] / "tests" / "notifications" / "sandbox" / "judges"
"""Where the packages of firebase-admin and @parse/node-apn are."""

TITLE = "سارة بن علي"
BODY = "On se retrouve à la salle à 14h, n'oublie pas les fleurs ! إن شاء الله"
DATA = {"conversation_id": "01890a5d-ac96-774b-bcce-b302099a8057", "offset": "42"}
BATCH = 200
ADDRESSES = 20_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What a sender took."""

    name: str
    pushes: int
    per_second: float
    per_cpu_second: float
    sandbox_us: float

    @property
    def cpu_us(self) -> float:
        return 1e6 / self.per_cpu_second


def peers(places: Places, seconds: float) -> list[Figures]:
    """All of them, one after the other."""
    install(JUDGES)
    return [
        _python("firebase-admin (Python)", "firebase", places, seconds),
        _node("firebase-admin (Node)", "firebase", places, seconds),
        _python("aioapns", "aioapns", places, seconds),
        _node("@parse/node-apn", "apn", places, seconds),
    ]


def _figures(name: str, command: list[str], job: dict[str, Any], places: Places) -> Figures:
    before = cpu_of(places.pid)
    said = json.loads(_run(command, job, places))
    pushes, wall, cpu = said["pushes"], said["wall"], said["cpu"]
    # The sandbox has also answered what was sent to get ready.
    sandbox = (cpu_of(places.pid) - before) / (pushes + BATCH) * 1e6
    return Figures(name, pushes, round(pushes / wall, 1), round(pushes / cpu, 1), round(sandbox, 1))


def _python(name: str, sender: str, places: Places, seconds: float) -> Figures:
    job = {"sender": sender, "places": asdict(places), "seconds": seconds}
    return _figures(name, [sys.executable, "-m", __name__], job, places)


def _node(name: str, sender: str, places: Places, seconds: float) -> Figures:
    account = json.loads(Path(places.service_account).read_bytes())
    job = {
        "sender": sender,
        "packages": str(JUDGES),
        "seconds": seconds,
        "batch": BATCH,
        "origin": places.fcm.removesuffix("/v1/projects"),
        "bearer": asyncio.run(_bearer(places)),
        "project": account["project_id"],
        "message": {"notification": {"title": TITLE, "body": BODY}, "data": DATA},
        "port": int(places.apns.rpartition(":")[2]),
        "key": Path(places.apns_key).read_text(),
        "keyId": places.key_id,
        "teamId": places.team_id,
        "topic": places.topic,
        "fields": {"alert": {"title": TITLE, "body": BODY}, "payload": DATA},
    }
    return _figures(name, [str(node()), str(PEERS / "push.mjs")], job, places)


def _run(command: list[str], job: dict[str, Any], places: Places) -> bytes:
    trusting = {"NODE_EXTRA_CA_CERTS": places.authority, "REQUESTS_CA_BUNDLE": places.authority}
    done = subprocess.run(
        command,
        input=json.dumps(job).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # aioapns tells each time that it is busy.
        env={**os.environ, **trusting, "SSL_CERT_FILE": places.authority},
        preexec_fn=on_core(SERVER_CORE),
        check=True,
        timeout=120,
    )
    return done.stdout


async def _bearer(places: Places) -> str:
    provider = places.fcm_provider()
    await provider.open()
    assert provider._opened is not None
    bearers: Bearers = provider._opened.bearers
    bearer = await bearers.current()
    await provider.close()
    assert isinstance(bearer, str)
    return bearer


Send = Callable[[list[str]], Awaitable[int]]


async def _firebase(places: Places) -> Send:
    import firebase_admin
    from firebase_admin import credentials, messaging
    from google.auth import _regional_access_boundary_utils

    warnings.simplefilter("ignore", DeprecationWarning)
    messaging._MessagingService.FCM_URL = places.fcm + "/{0}/messages:send"
    _regional_access_boundary_utils._get_domain = lambda: "localhost:9"
    app = firebase_admin.initialize_app(credentials.Certificate(places.service_account))

    async def send(addresses: list[str]) -> int:
        messages = [
            messaging.Message(
                token=each,
                notification=messaging.Notification(TITLE, BODY),
                data=DATA,
                android=messaging.AndroidConfig(priority="high", collapse_key="c"),
            )
            for each in addresses
        ]
        return int((await messaging.send_each_async(messages, app=app)).success_count)

    return send


async def _aioapns(places: Places) -> Send:
    from aioapns import NotificationRequest

    from notifications.sandbox.credentials import Files
    from tests.support.scripted_apns import stock_aioapns

    files = Files(Path(places.apns_key).parent)
    client = await stock_aioapns(files, places.apns).__aenter__()
    client.pool.max_connections = 10  # As it comes.
    message = {"aps": {"alert": {"title": TITLE, "body": BODY}}, **DATA}

    async def send(addresses: list[str]) -> int:
        answers = await asyncio.gather(
            *(
                client.send_notification(NotificationRequest(each, message, collapse_key="c"))
                for each in addresses
            )
        )
        return sum(each.is_successful for each in answers)

    return send


SENDERS = {
    "firebase": (_firebase, AddressKind.FCM_TOKEN),
    "aioapns": (_aioapns, AddressKind.APNS),
}


async def _measured(job: dict[str, Any]) -> dict[str, float]:
    make, kind = SENDERS[job["sender"]]
    send = await make(Places(**job["places"]))
    sent = 0

    def batch() -> list[str]:
        return [address(kind, (sent + each) % ADDRESSES) for each in range(BATCH)]

    await send(batch())
    began, cpu = time.perf_counter(), time.process_time()

    async def keep_sending() -> None:
        nonlocal sent
        while time.perf_counter() - began < job["seconds"]:
            sent += BATCH
            accepted = await send(batch())
            if accepted != BATCH:
                raise SystemExit(f"{accepted} of {BATCH} accepted")

    await asyncio.gather(keep_sending(), keep_sending())
    return {
        "pushes": sent,
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_measured(json.load(sys.stdin)))), flush=True)
    os._exit(0)  # Clients that were told to close wait for a loop that has ended.
