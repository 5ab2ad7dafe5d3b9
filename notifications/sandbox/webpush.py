"""A browser's push service as the sandbox plays it, and the browsers behind it."""

import dataclasses
import hmac
import json
import re
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kernel.clock import Clock
from notifications.sandbox.credentials import Files
from notifications.sandbox.faults import (
    LATE,
    MANNERS,
    SLOW,
    SLOWNESS,
    Fault,
    Faults,
    fcm_prefixes,
    of_connection,
)
from notifications.sandbox.http import Headers, Request, Response, Traits, json_response
from notifications.sandbox.record import Arrivals
from notifications.sandbox.webpush_rules import (
    Refused,
    check_headers,
    check_proof,
    decrypted,
    point_of,
)

STATUS = {
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "GONE": 410,
    "PAYLOAD_TOO_LARGE": 413,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL": 500,
    "BAD_GATEWAY": 502,
    "UNAVAILABLE": 503,
    "REDIRECT": 307,
}
"""Every refusal that can be asked for by name."""

PREFIXES = fcm_prefixes((*STATUS, *MANNERS, *LATE, SLOW))
"""Names of browsers that begin so get what they ask for; any other is a good one."""

_SLUGS = sorted(PREFIXES, key=len, reverse=True)
_PATH = re.compile(r"/push/([A-Za-z0-9_-]{1,100})/([A-Za-z0-9_-]{1,200})\Z")
_KEPT_HEADERS = ("ttl", "urgency", "topic")
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class WebPushService:
    """Answers `POST /push/<browser>/<VAPID key>`, and reads each push as the browser would.

    A browser's keys follow from its name and the sandbox's secret, so nothing is stored, and a
    subscription stays good when the sandbox starts again.
    """

    traits = Traits(streams=100)

    def __init__(self, *, faults: Faults, arrivals: Arrivals, clock: Clock) -> None:
        self._faults = faults
        self._arrivals = arrivals
        self._clock = clock
        self._secret = b""
        self._own_key = ""
        self._origin = ""

    def trust(self, files: Files, *, origin: str) -> None:
        pem = files.vapid_key.read_bytes()
        key = serialization.load_pem_private_key(pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "init() made it"
        self._own_key = _base64url(point_of(key))
        self._secret = sha256(pem).digest()
        self._origin = origin

    def subscribe(self, name: str, application_server_key: str = "") -> str:
        """What `JSON.stringify(subscription)` would say in the browser of that name."""
        key, auth = self._keys_of(name)
        shown = application_server_key.rstrip("=") or self._own_key
        return json.dumps(
            {
                "endpoint": f"{self._origin}/push/{name}/{shown}",
                "expirationTime": None,
                "keys": {"p256dh": _base64url(point_of(key)), "auth": _base64url(auth)},
            }
        )

    def session(self) -> None:
        """Push services remember nothing about a connection."""

    def answer(self, request: Request) -> Response:
        path = _PATH.match(request.path)
        if path is None:
            return _refusal(404, "no such subscription")
        if request.method != "POST":
            return _refusal(405, "a push is a POST")
        name, key = path.groups()
        try:
            check_headers(request.headers, request.body)
            check_proof(
                request.headers.get("authorization", ""),
                key=key,
                origin=self._origin,
                now=self._clock.now().timestamp(),
            )
            fault = self._fault_for(name)
            if fault is not None and fault.outcome not in LATE and fault.outcome != SLOW:
                return of_connection(fault) or _failing(fault)
            return self._accept(name, request, fault)
        except Refused as refused:
            return _refusal(refused.status, refused.why)

    def _accept(self, name: str, request: Request, fault: Fault | None) -> Response:
        key, auth = self._keys_of(name)
        plain = decrypted(request.body, key=key, auth=auth) if request.body else b""
        shown = _object(plain)
        notification, data = shown.get("notification"), shown.get("data")
        notification = notification if isinstance(notification, dict) else {}
        data = data if isinstance(data, dict) else {}
        location = f"{self._origin}/message/{secrets.token_urlsafe(18)}"
        self._arrivals.add(
            provider="webpush",
            environment="production",
            address=name,
            push_id=str(data.get("push_id", "")),
            provider_id=location,
            title=str(notification.get("title", "")),
            body=str(notification.get("body", "")),
            payload=plain if shown else msgspec.json.encode(plain.decode("utf-8", "replace")),
            headers={
                each: request.headers[each] for each in _KEPT_HEADERS if each in request.headers
            },
        )
        accepted = Response(201, headers=(("location", location), ("ttl", request.headers["ttl"])))
        if fault is None:
            return accepted
        manner = LATE.get(fault.outcome, accepted.manner)
        return dataclasses.replace(accepted, manner=manner, delay=fault.delay)

    def _fault_for(self, name: str) -> Fault | None:
        scripted = self._faults.find("webpush", name)
        if scripted is not None or not name.startswith("sandbox-"):
            return scripted
        for slug in _SLUGS:
            if name == slug or name.startswith(slug + "-"):
                delay = SLOWNESS if PREFIXES[slug] == SLOW else 0.0
                return Fault(provider="webpush", outcome=PREFIXES[slug], delay=delay)
        return None

    def _keys_of(self, name: str) -> tuple[ec.EllipticCurvePrivateKey, bytes]:
        """The browser's key pair and its secret."""
        wide = b"".join(
            hmac.digest(self._secret, f"{part}:{name}".encode(), "sha256") for part in (1, 2)
        )
        number = int.from_bytes(wide, "big") % (_ORDER - 1) + 1
        auth = hmac.digest(self._secret, f"auth:{name}".encode(), "sha256")[:16]
        return ec.derive_private_key(number, ec.SECP256R1()), auth


def _failing(fault: Fault) -> Response:
    headers: Headers = (("retry-after", fault.retry_after),) if fault.retry_after else ()
    if fault.outcome == "REDIRECT":
        headers += (("location", "https://localhost:9/elsewhere"),)
    refusal = _refusal(STATUS[fault.outcome], "scripted")
    if fault.bare:
        refusal = dataclasses.replace(refusal, body=b"")
    return dataclasses.replace(refusal, headers=(*refusal.headers, *headers), delay=fault.delay)


def _refusal(status: int, why: str) -> Response:
    return json_response(status, {"code": status, "message": why})


def _object(plain: bytes) -> dict[str, Any]:
    """The JSON object that a push says; empty for any other text."""
    try:
        said = msgspec.json.decode(plain)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return said if isinstance(said, dict) else {}


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
