"""FCM v1 as the sandbox plays it."""

import dataclasses
import re
import secrets
from dataclasses import dataclass

import msgspec

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
from notifications.sandbox.fcm_errors import OUTCOMES, error, invalid
from notifications.sandbox.fcm_rules import Message, Violation, check
from notifications.sandbox.http import Manner, Request, Response, Traits, json_response
from notifications.sandbox.oauth import TokenEndpoint
from notifications.sandbox.options import SandboxOptions
from notifications.sandbox.record import Arrivals

PREFIXES = fcm_prefixes((*OUTCOMES, *MANNERS, *LATE, SLOW))
"""Addresses that begin so get what they ask for; any other address is a good one."""

UNMETERED = "sandbox-unmetered"
"""Addresses that begin so have no quota of their own: for load, and for replays of busy chats."""

_SLUGS = sorted(PREFIXES, key=len, reverse=True)
_SEND = re.compile(r"/v1/projects/([^/]+)/messages:send\Z")
_NO_SUCH_PAGE = Response(
    404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", (("content-type", "text/html"),)
)
_REMEMBERED_DEVICES = 100_000


@dataclass(slots=True)
class _Minute:
    """A minute that starts with its first message, not with the clock's."""

    began: float
    count: int = 0


class FcmService:
    """Answers `messages:send` and the token endpoint on one port."""

    traits = Traits(streams=100, idle=240.0, age=3600.0, pings=3)

    def __init__(
        self,
        *,
        options: SandboxOptions,
        oauth: TokenEndpoint,
        faults: Faults,
        arrivals: Arrivals,
        clock: Clock,
    ) -> None:
        self._options = options
        self._oauth = oauth
        self._faults = faults
        self._arrivals = arrivals
        self._clock = clock
        self._project_ids: set[str] = set()
        self._project = _Minute(clock.monotonic())
        self._devices: dict[str, _Minute] = {}

    def trust(self, files: Files) -> None:
        self._project_ids.add(files.project_id)

    def session(self) -> None:
        """FCM remembers nothing about a connection."""

    def answer(self, request: Request) -> Response:
        if request.version == "2" and ":authority" not in request.headers:
            return Response(400)
        if request.path == "/token":
            return self._oauth.answer(request)
        path = _SEND.match(request.path)
        if path is None or request.method != "POST":
            return _NO_SUCH_PAGE
        authorization = request.headers.get("authorization", "")
        problem = self._oauth.problem(authorization)
        if problem is not None:
            return error("ACCESS_TOKEN_EXPIRED" if problem == "EXPIRED" else "UNAUTHENTICATED")
        if path[1] not in self._project_ids:
            return error("NOT_FOUND")
        if path[1] != self._oauth.project_of(authorization):
            return error("PERMISSION_DENIED")
        return self._send(request, path[1])

    def _send(self, request: Request, project_id: str) -> Response:
        try:
            body = msgspec.json.decode(request.body)
        except msgspec.DecodeError as wrong:
            return invalid(f"Invalid JSON payload received. {wrong}", field="")
        if not isinstance(body, dict) or not body.keys() <= {
            "message",
            "validate_only",
            "validateOnly",
        }:
            return invalid("Invalid JSON payload received. Cannot find field.", field="message")
        message = check(body.get("message"))
        if isinstance(message, Violation):
            return invalid(message.description, field=message.field)
        if limited := self._limited(message):
            return limited
        fault = self._fault_for(message.address)
        if fault is not None and fault.outcome not in LATE and fault.outcome != SLOW:
            return of_connection(fault) or self._failing(fault, message.target)
        if body.get("validate_only") or body.get("validateOnly"):
            number = "fake_message_id"
        else:
            number = self._accept(message, request, project_id)
        accepted = json_response(200, {"name": f"projects/{project_id}/messages/{number}"})
        if fault is None:
            return dataclasses.replace(accepted, manner=Manner.TRAILING)
        manner = LATE.get(fault.outcome, Manner.TRAILING)
        return dataclasses.replace(accepted, manner=manner, delay=fault.delay)

    def _accept(self, message: Message, request: Request, project_id: str) -> str:
        number = f"0:{secrets.randbits(52)}%{secrets.token_hex(8)}"
        self._arrivals.add(
            provider="fcm",
            environment="production",
            address=message.address,
            push_id=message.push_id,
            provider_id=f"projects/{project_id}/messages/{number}",
            title=message.title,
            body=message.body,
            payload=request.body,
            headers={},
        )
        return number

    def _fault_for(self, address: str) -> Fault | None:
        scripted = self._faults.find("fcm", address)
        if scripted is not None or not address.startswith("sandbox-"):
            return scripted
        for slug in _SLUGS:
            if address == slug or address.startswith(slug + "-"):
                delay = SLOWNESS if PREFIXES[slug] == SLOW else 0.0
                return Fault(provider="fcm", outcome=PREFIXES[slug], delay=delay)
        return None

    def _failing(self, fault: Fault, target: str) -> Response:
        failing = error(fault.outcome, retry_after=fault.retry_after, field=f"message.{target}")
        if fault.bare:
            failing = dataclasses.replace(failing, body=b"")
        manner = Manner.SPLIT if fault.split else Manner.TRAILING
        return dataclasses.replace(failing, manner=manner, delay=fault.delay)

    def _limited(self, message: Message) -> Response | None:
        now = self._clock.monotonic()
        if now - self._project.began >= 60.0:
            self._project = _Minute(now)
        self._project.count += 1
        if self._project.count > self._options.project_per_minute:
            left = 60 - int(now - self._project.began)
            return error("QUOTA_EXCEEDED", retry_after=str(left))
        if message.address.startswith(UNMETERED):
            return None
        device = self._devices.get(message.address)
        if device is None or now - device.began >= 60.0:
            if len(self._devices) >= _REMEMBERED_DEVICES:
                self._devices.clear()
            device = self._devices[message.address] = _Minute(now)
        device.count += 1
        if device.count > self._options.device_per_minute:
            return error("DEVICE_QUOTA_EXCEEDED")
        return None
