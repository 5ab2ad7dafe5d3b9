"""How many requests at once APNs lets a connection have: it depends on what came over it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RemoteSettingsChanged, ResponseReceived, StreamEnded
from h2.settings import SettingCodes

from notifications.sandbox.apns import PREFIXES, STREAMS
from notifications.sandbox.sandbox import Sandbox
from tests.support.clock import ManualClock
from tests.support.sandbox import APNS_ADDRESS

PATIENCE = 60.0


class Caller:
    """A client that sends one push after the other, and keeps the limits it was told."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bearer: str
    ) -> None:
        self._h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._reader, self._writer = reader, writer
        self._bearer = bearer
        self.limits: list[int] = []

    async def hear(self) -> list[Any]:
        """What comes next; every change of the limit is kept."""
        self._writer.write(self._h2.data_to_send())
        async with asyncio.timeout(PATIENCE):
            data = await self._reader.read(65_536)
        assert data, "the connection ended"
        events = self._h2.receive_data(data)
        for event in events:
            if isinstance(event, RemoteSettingsChanged):
                changed = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
                self.limits += [changed.new_value] if changed is not None else []
        return events

    async def push(self, address: str) -> str:
        """The status of one push, whose connection has been told its limit by then."""
        stream = self._h2.get_next_available_stream_id()
        head = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", f"/3/device/{address}"),
            ("apns-topic", "app.zaffa.demo"),
            ("apns-push-type", "alert"),
            ("authorization", self._bearer),
        ]
        self._h2.send_headers(stream, head)
        self._h2.send_data(stream, b'{"aps":{"alert":"x"}}', end_stream=True)
        status, ended = "", False
        while not ended:
            for event in await self.hear():
                if isinstance(event, ResponseReceived):
                    status = dict(event.headers)[":status"]
                ended = ended or isinstance(event, StreamEnded)
        return status

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def caller(sandbox: Sandbox, clock: ManualClock) -> AsyncIterator[Caller]:
    files = sandbox.files
    claims = {"iss": files.team_id, "iat": int(clock.now().timestamp())}
    key = files.apns_key.read_text()
    bearer = jwt.encode(claims, key, algorithm="ES256", headers={"kid": files.key_id})
    tls = ssl.create_default_context(cafile=str(files.authority))
    tls.set_alpn_protocols(["h2"])
    host, _, port = sandbox.apns_address.partition(":")
    there = Caller(*await asyncio.open_connection(host, int(port), ssl=tls), f"bearer {bearer}")
    yield there
    there.close()


def asking_for(reason: str) -> str:
    prefix = next(each for each, outcome in PREFIXES.items() if outcome == reason)
    return prefix + APNS_ADDRESS[len(prefix) :]


async def test_one_request_until_a_good_one_and_one_again_after_a_refusal(caller: Caller) -> None:
    while not caller.limits:
        await caller.hear()
    told = [list(caller.limits)]
    statuses = []
    for address in (
        APNS_ADDRESS,
        asking_for("BadDeviceToken"),
        APNS_ADDRESS,
        asking_for("Unregistered"),
    ):
        statuses.append(await caller.push(address))
        told.append(list(caller.limits))

    assert statuses == ["200", "400", "200", "410"]
    assert told[0] == [1]
    assert told[1:] == [
        [1, STREAMS],
        [1, STREAMS, 1],
        [1, STREAMS, 1, STREAMS],
        # That a device is gone costs nothing.
        [1, STREAMS, 1, STREAMS],
    ]
