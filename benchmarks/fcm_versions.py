"""FCM over HTTP/1.1 keep-alive, as the adapter sends, and over HTTP/2 streams: which costs less.

The HTTP/2 side does no more than it must (no deadlines, no draining), so its figures are the
best that h2 could give; both build the same messages and read the same answers.

    python -m benchmarks.fcm_versions [--pushes 6000] [--rounds 3]
"""

import argparse
import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from benchmarks.machine import report, table
from benchmarks.push import _CONTENT
from benchmarks.sandboxed import Places, address, sandbox_elsewhere
from kernel.clock import SystemClock
from kernel.ids import new_id
from kernel.notices import Urgency
from notifications.adapters.apns_headers import HeaderEncoder
from notifications.adapters.fcm import FcmProvider
from notifications.adapters.fcm_answers import outcome_of
from notifications.adapters.fcm_message import message_of
from notifications.types import AddressKind, Attempt, Environment, Verdict

STREAMS = 90
"""Google allows 100 at once on a connection."""
CONNECTIONS = 3
BATCH = 200
_CLOCK = SystemClock()


class Http2(asyncio.Protocol):
    """One connection; `post` resolves with an outcome."""

    def __init__(self) -> None:
        config = H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._h2 = H2Connection(config)
        self._h2.encoder = HeaderEncoder()
        self._open: dict[int, list[Any]] = {}
        self._loop = asyncio.get_running_loop()
        self._flushing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()
        self._flush()

    @property
    def room(self) -> int:
        """How many more requests it can take now."""
        return min(STREAMS - len(self._open), self._h2.outbound_flow_control_window // 2048)

    def post(self, headers: list[tuple[bytes, bytes]], body: bytes) -> asyncio.Future[Verdict]:
        stream = self._h2.get_next_available_stream_id()
        answer: asyncio.Future[Verdict] = self._loop.create_future()
        self._h2.send_headers(stream, headers)
        self._h2.send_data(stream, body, end_stream=True)
        self._open[stream] = [answer, 0, {}, bytearray()]
        self._soon()
        return answer

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            if isinstance(event, ResponseReceived):
                headers = {name.decode(): value.decode() for name, value in event.headers}
                self._open[event.stream_id][1:3] = int(headers[":status"]), headers
            elif isinstance(event, DataReceived):
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self._open[event.stream_id][3] += event.data
            elif isinstance(event, StreamEnded):
                answer, status, headers, body = self._open.pop(event.stream_id)
                read = outcome_of(status, bytes(body), headers, now=_CLOCK.now())
                answer.set_result(read.verdict)
        self._soon()

    def close(self) -> None:
        self._transport.close()

    def _soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if data := self._h2.data_to_send():
            self._transport.write(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pushes", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3, help="turns that each version gets")
    arguments = parser.parse_args()
    with sandbox_elsewhere() as places:
        results = uvloop.run(_measure(places, arguments.pushes, arguments.rounds))
    rows = [
        [name, f"{min(seconds):,.2f}", f"{pushes / min(seconds):,.0f}", f"{min(micros):.0f}"]
        for name, (pushes, seconds, micros) in results.items()
    ]
    print(table(["version", "best seconds", "pushes/s", "least CPU µs/push"], rows))
    report("fcm_versions", results)


async def _measure(places: Places, pushes: int, rounds: int) -> dict[str, Any]:
    fcm = places.fcm_provider()
    await fcm.open()
    tls = ssl.create_default_context(cafile=places.authority)
    tls.set_alpn_protocols(["h2"])
    url = urlsplit(places.fcm)
    loop = asyncio.get_running_loop()
    peers = [
        (await loop.create_connection(Http2, url.hostname, url.port, ssl=tls))[1]
        for _ in range(CONNECTIONS)
    ]
    results: dict[str, Any] = {name: (pushes, [], []) for name in ("HTTP/1.1", "HTTP/2")}
    await _over_http1(fcm, _attempts(BATCH))
    await _over_http2(fcm, peers, _attempts(BATCH))
    for _ in range(rounds):
        for name in results:
            began, cpu = time.perf_counter(), time.process_time()
            for start in range(0, pushes, BATCH):
                batch = _attempts(min(BATCH, pushes - start), start)
                if name == "HTTP/1.1":
                    await _over_http1(fcm, batch)
                else:
                    await _over_http2(fcm, peers, batch)
            results[name][1].append(time.perf_counter() - began)
            results[name][2].append((time.process_time() - cpu) / pushes * 1e6)
    for peer in peers:
        peer.close()
    await fcm.close()
    return results


async def _over_http1(fcm: FcmProvider, attempts: Sequence[Attempt]) -> None:
    outcomes = await fcm.send(attempts)
    assert all(each.verdict is Verdict.ACCEPTED for each in outcomes)


async def _over_http2(fcm: FcmProvider, peers: list[Http2], attempts: Sequence[Attempt]) -> None:
    opened = fcm._opened
    assert opened is not None
    bearer = await opened.bearers.current()
    url = urlsplit(opened.endpoint)
    headers = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", url.netloc.encode()),
        (b":path", url.path.encode()),
        (b"authorization", f"Bearer {bearer}".encode()),
        (b"content-type", b"application/json; charset=UTF-8"),
    ]
    answers: list[asyncio.Future[Verdict]] = []
    for attempt in attempts:
        body = message_of(attempt, api=opened.api, now=_CLOCK.now())
        while not (peer := max(peers, key=lambda each: each.room)).room:
            waiting = [each for each in answers if not each.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        answers.append(peer.post(headers, body))
    assert all(each is Verdict.ACCEPTED for each in await asyncio.gather(*answers))


def _attempts(count: int, start: int = 0) -> list[Attempt]:
    now = _CLOCK.now()
    return [
        Attempt(
            push_id=new_id(now),
            number=1,
            address_kind=AddressKind.FCM_TOKEN,
            address=address(AddressKind.FCM_TOKEN, start + number),
            environment=Environment.PRODUCTION,
            urgency=Urgency.INTERACTIVE,
            content=_CONTENT,
            collapse_key="conversation",
            expires_at=now.replace(year=now.year + 1),
        )
        for number in range(count)
    ]


if __name__ == "__main__":
    main()
