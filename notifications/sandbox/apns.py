"""APNs as the sandbox plays it, one environment a port."""

import dataclasses
from uuid import uuid4

import msgspec

from kernel.clock import Clock
from notifications.sandbox.apns_rules import (
    STATUS,
    address_of,
    reason_against,
    texts_of,
    wrong_environment,
)
from notifications.sandbox.apns_tokens import ApnsSession, ProviderTokens
from notifications.sandbox.faults import (
    LATE,
    MANNERS,
    SLOW,
    SLOWNESS,
    Fault,
    Faults,
    apns_prefixes,
    of_connection,
)
from notifications.sandbox.http import Headers, Manner, Request, Response, Traits
from notifications.sandbox.record import Arrivals

PREFIXES = apns_prefixes((*STATUS, *MANNERS, *LATE, SLOW))
"""Addresses that begin so get what they ask for; any other address is a good one."""

STREAMS = 1000
"""Requests at once on a connection that has shown a good provider token; one before."""

_TOO_MANY_BAD = 100
"""Bad addresses after which a connection is closed."""
_KEPT_HEADERS = (
    "apns-topic",
    "apns-push-type",
    "apns-priority",
    "apns-expiration",
    "apns-collapse-id",
)


class ApnsService:
    """Answers `POST /3/device/<address>` in one environment."""

    traits = Traits(streams=1)

    def __init__(
        self,
        *,
        environment: str,
        tokens: ProviderTokens,
        faults: Faults,
        arrivals: Arrivals,
        clock: Clock,
    ) -> None:
        self._environment = environment
        self._tokens = tokens
        self._faults = faults
        self._arrivals = arrivals
        self._clock = clock

    def session(self) -> ApnsSession:
        return ApnsSession()

    def answer(self, request: Request) -> Response:
        identifier = request.headers.get("apns-id") or str(uuid4())
        response = self._answer(request, identifier)
        extra: Headers = (("apns-id", identifier),)
        if self._environment == "sandbox":
            extra += (("apns-unique-id", str(uuid4())),)
        return dataclasses.replace(response, headers=(*extra, *response.headers))

    def _answer(self, request: Request, identifier: str) -> Response:
        address = address_of(request.path)
        if address is None:
            return _refusal("BadPath")
        if request.method != "POST":
            return _refusal("MethodNotAllowed")
        headers, session = request.headers, request.peer.session
        reason = self._tokens.reason_against(headers.get("authorization"), session)
        if reason is None:
            reason = reason_against(
                headers, request.repeated, request.body, address, topic=session.topic
            )
        if reason is None and wrong_environment(address, self._environment):
            reason = "BadDeviceToken"
        if reason is not None:
            return self._refused(request, reason)
        fault = self._fault_for(address)
        if fault is not None and fault.outcome not in LATE and fault.outcome != SLOW:
            return of_connection(fault) or self._failing(request, fault)
        request.peer.allow_streams(STREAMS)
        title, body = texts_of(request.body)
        self._arrivals.add(
            provider="apns",
            environment=self._environment,
            address=address,
            push_id=identifier,
            provider_id=identifier,
            title=title,
            body=body,
            payload=request.body,
            headers={name: headers[name] for name in _KEPT_HEADERS if name in headers},
        )
        if fault is None:
            return Response(200)
        manner = LATE.get(fault.outcome, Manner.PLAIN)
        return Response(200, manner=manner, delay=fault.delay, debug=b'{"reason":"Shutdown"}')

    def _fault_for(self, address: str) -> Fault | None:
        scripted = self._faults.find("apns", address)
        if scripted is not None:
            return scripted
        outcome = PREFIXES.get(address[:5].lower())
        if outcome is None:
            return None
        return Fault(provider="apns", outcome=outcome, delay=SLOWNESS if outcome == SLOW else 0.0)

    def _failing(self, request: Request, fault: Fault) -> Response:
        since = fault.timestamp
        if since is None and STATUS[fault.outcome] == 410:
            since = int(self._clock.now().timestamp() * 1000)
        headers = (("retry-after", fault.retry_after),) if fault.retry_after else ()
        response = self._refused(request, fault.outcome, since=since)
        manner = Manner.SPLIT if fault.split else response.manner
        body = b"" if fault.bare else response.body
        return dataclasses.replace(
            response, body=body, headers=headers, manner=manner, delay=fault.delay
        )

    def _refused(self, request: Request, reason: str, *, since: int | None = None) -> Response:
        """An error, and what it costs the connection it came on."""
        session: ApnsSession = request.peer.session
        if reason == "BadDeviceToken":
            session.bad_addresses += 1
        if reason == "Shutdown" or session.bad_addresses >= _TOO_MANY_BAD:
            debug = msgspec.json.encode({"reason": reason})
            refusal = _refusal(reason, since=since)
            return dataclasses.replace(refusal, manner=Manner.GOAWAY_AFTER, debug=debug)
        if session.trusted:
            # Refused pushes narrow a connection; those for gone devices are free.
            request.peer.allow_streams(STREAMS if STATUS[reason] == 410 else 1)
        return _refusal(reason, since=since)


def _refusal(reason: str, *, since: int | None = None) -> Response:
    body: dict[str, str | int] = {"reason": reason}
    if since is not None:
        body["timestamp"] = since
    return Response(STATUS[reason], msgspec.json.encode(body))
