"""The sandbox's page and its API: what arrived, and what shall go wrong."""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from html import escape
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec

from kernel.clock import Clock
from notifications.sandbox import apns, fcm, webpush
from notifications.sandbox.apns_rules import ONLY_IN_PRODUCTION, ONLY_IN_SANDBOX
from notifications.sandbox.faults import Fault, Faults
from notifications.sandbox.http import Request, Response, Traits, json_response
from notifications.sandbox.oauth import TokenEndpoint
from notifications.sandbox.phones import Phones
from notifications.sandbox.record import Arrival, Arrivals

_SHOWN = 200
_LONGEST_WAIT = 60.0
_FAULT = re.compile(r"/faults/([1-9][0-9]{0,8})\Z")
_OAUTH = frozenset({"invalid_grant", "unauthorized_client", "UNAVAILABLE", "SILENCE", "DROP"})
_OUTCOMES = {
    "fcm": frozenset(fcm.PREFIXES.values()),
    "apns": frozenset(apns.PREFIXES.values()),
    "oauth": _OAUTH,
    "webpush": frozenset(webpush.PREFIXES.values()),
}

Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]


class FaultBody(msgspec.Struct, forbid_unknown_fields=True):
    """A fault as the API takes it; see `Fault`."""

    provider: Literal["fcm", "apns", "oauth", "webpush"]
    outcome: str
    prefix: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    retry_after: Annotated[str, msgspec.Meta(pattern=r"^[ -~]*$")] = ""
    delay: Seconds = 0.0
    timestamp: int | None = None
    split: bool = False
    bare: bool = False


class SubscribeBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whose subscription is wanted, and for which VAPID key; none means the sandbox's own."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
    application_server_key: str = ""


class PhoneBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a device is there; one that is not gets later what its provider keeps."""

    address: str
    online: bool


class _Listing(msgspec.Struct, forbid_unknown_fields=True):
    after: Annotated[int, msgspec.Meta(ge=0)] = 0
    address: str = ""
    push_id: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    wait: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_WAIT)] = 0.0


class PageService:
    """Plain HTTP for people and tests; keep it on the machine it runs on."""

    traits = Traits(body_bytes=65_536)

    def __init__(
        self,
        *,
        arrivals: Arrivals,
        faults: Faults,
        oauth: TokenEndpoint,
        counts: Callable[[], dict[str, int]],
        subscribe: Callable[[str, str], str],
        clock: Clock,
    ) -> None:
        self._arrivals = arrivals
        self._faults = faults
        self._oauth = oauth
        self._counts = counts
        self._subscribe = subscribe
        self._clock = clock
        self._phones = Phones()

    def session(self) -> None:
        """The page remembers nothing about a connection."""

    def answer(self, request: Request) -> Response | Awaitable[Response]:
        url = urlsplit(request.path)
        try:
            match request.method, url.path:
                case "GET", "/":
                    return self._page()
                case "GET", "/pushes":
                    listing = msgspec.convert(dict(parse_qsl(url.query)), _Listing, strict=False)
                    return self._follow(listing)
                case "GET", "/faults":
                    return json_response(200, {"faults": self._faults.listed()})
                case "POST", "/faults":
                    return self._script(msgspec.json.decode(request.body, type=FaultBody))
                case "DELETE", "/faults":
                    self._faults.clear()
                    return Response(204)
                case "GET", "/prefixes":
                    return json_response(200, _prefixes())
                case "GET", "/phones":
                    address = dict(parse_qsl(url.query)).get("address", "")
                    arrived = self._arrivals.after(address=address, limit=10_000)
                    screen = self._phones.shown(address, arrived if address else [])
                    return json_response(200, {"shown": screen})
                case "POST", "/phones":
                    return self._move(msgspec.json.decode(request.body, type=PhoneBody))
                case "POST", "/subscriptions":
                    wanted = msgspec.json.decode(request.body, type=SubscribeBody)
                    made = self._subscribe(wanted.name, wanted.application_server_key)
                    return json_response(201, msgspec.Raw(made.encode()))
                case "POST", "/tokens/expire":
                    self._oauth.expire()
                    return Response(204)
                case "GET", "/status":
                    return json_response(200, self._counts())
                case "DELETE", path if number := _FAULT.match(path):
                    if self._faults.remove(int(number[1])):
                        return Response(204)
        except (msgspec.DecodeError, msgspec.ValidationError) as wrong:
            return _error(400, "invalid_input", str(wrong))
        return _error(404, "not_found", "There is nothing here.")

    def _script(self, body: FaultBody) -> Response:
        if body.outcome not in _OUTCOMES[body.provider]:
            return _error(400, "invalid_input", f"outcome: {body.provider} knows no such outcome")
        for instant in (body.starts_at, body.ends_at):
            if instant is not None and instant.tzinfo is None:
                return _error(400, "invalid_input", "starts_at and ends_at need a UTC offset")
        return json_response(201, self._faults.add(Fault(**msgspec.structs.asdict(body))))

    def _move(self, body: PhoneBody) -> Response:
        move = self._phones.come_back if body.online else self._phones.leave
        move(body.address, self._clock.now())
        return Response(204)

    async def _follow(self, listing: _Listing) -> Response:
        found = self._found(listing)
        if not found and listing.wait:
            await self._wait(listing)
            found = self._found(listing)
        last = found[-1].number if found else listing.after
        body = {"pushes": found, "last": last, "total": self._arrivals.total}
        return json_response(200, body)

    async def _wait(self, listing: _Listing) -> None:
        """Until something matches, or the caller's patience ends."""
        while not self._found(listing):
            if not await self._arrivals.changed(within=listing.wait):
                return

    def _found(self, listing: _Listing) -> list[Arrival]:
        return self._arrivals.after(
            listing.after, address=listing.address, push_id=listing.push_id, limit=listing.limit
        )

    def _page(self) -> Response:
        rows = "".join(_row(arrival) for arrival in self._arrivals.latest(_SHOWN))
        text = _PAGE.replace("{total}", str(self._arrivals.total)).replace("{rows}", rows)
        policy = (
            "content-security-policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
            "connect-src 'self'",
        )
        return Response(200, text.encode(), (("content-type", "text/html; charset=utf-8"), policy))


def _prefixes() -> dict[str, dict[str, str]]:
    """What the beginning of an address asks for."""
    split = {ONLY_IN_SANDBOX: "only in sandbox", ONLY_IN_PRODUCTION: "only in production"}
    free = {fcm.UNMETERED: "no quota for the device"}
    return {
        "fcm": {**fcm.PREFIXES, **free},
        "apns": {**apns.PREFIXES, **split},
        "webpush": webpush.PREFIXES,
    }


def _row(arrival: Arrival) -> str:
    cells = (
        f"<td>{arrival.number}<td><time>{arrival.received_at:%H:%M:%S}</time>"
        f"<td>{arrival.provider} <small>{arrival.environment}</small>"
        f"<td dir=auto>{escape(arrival.title)}<td dir=auto>{escape(arrival.body)}"
    )
    return f"<tr>{cells}<td><code>{escape(arrival.address[:48])}</code></tr>"


def _error(status: int, code: str, message: str) -> Response:
    return json_response(status, {"code": code, "message": message, "details": {}})


_PAGE = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width">
<title>Zaffa sandbox</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: start }
td { vertical-align: top; overflow-wrap: anywhere }
td:first-child { white-space: nowrap }
code, small { color: #555 }
</style>
<h1>Pushes that arrived</h1>
<p><output id=total>{total}</output> so far. Newest first; also as <a href="/pushes">JSON</a>.
What can go wrong on purpose: <a href="/prefixes">by address</a>,
<a href="/faults">by script</a>.</p>
<table>
<thead><tr><th>#<th>Time (UTC)<th>Provider<th>Title<th>Text<th>Address</tr></thead>
<tbody id=pushes>{rows}</tbody>
</table>
<script>
const shown = document.getElementById("pushes");
const total = document.getElementById("total");
function row(push) {
  const line = document.createElement("tr");
  const texts = [push.number, push.received_at.slice(11, 19),
    push.provider + " " + push.environment, push.title, push.body, push.address.slice(0, 48)];
  for (const text of texts) {
    const cell = line.insertCell();
    cell.dir = "auto";
    cell.textContent = text;
  }
  return line;
}
async function follow(last) {
  for (;;) {
    try {
      const answer = await (await fetch(`/pushes?after=${last}&wait=30`)).json();
      for (const push of answer.pushes) shown.prepend(row(push));
      last = answer.last;
      total.value = answer.total;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 2000));
    }
  }
}
follow(Number(total.value));
</script>
"""
