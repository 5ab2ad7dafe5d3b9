"""aioapns 4.0 as it is, by the numbers of our review: why its connection and pool are replaced.

`test_apns_connection.py`, `test_apns_token.py` and `test_apns_proxy.py` show by the same numbers
that ours has none of these defects. A test that fails here after an upgrade is good news.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from aioapns import APNs, NotificationRequest
from aioapns.common import NotificationResult
from aioapns.exceptions import MaxAttemptsExceeded
from h2.errors import ErrorCodes
from h2.exceptions import FlowControlError
from h2.settings import SettingCodes

from notifications.sandbox.credentials import Files
from tests.support.sandbox import APNS_ADDRESS
from tests.support.scripted_apns import (
    ScriptedApns,
    ScriptedConnection,
    scripted_apns,
    stock_aioapns,
)

GONE = b'{"reason":"Unregistered","timestamp":1772000000123}'
ONE = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}


def answer(connection: ScriptedConnection, stream: int) -> None:
    connection.answer(stream)


def ignore(connection: ScriptedConnection, stream: int) -> None:
    """Never answer."""


@pytest.fixture
async def server(credentials: Files) -> AsyncIterator[ScriptedApns]:
    async with scripted_apns(credentials, ignore) as opened:
        yield opened


@pytest.fixture
async def stock(credentials: Files, server: ScriptedApns) -> AsyncIterator[APNs]:
    async with stock_aioapns(credentials, server.address) as client:
        yield client


@pytest.fixture
async def unhandled() -> list[BaseException]:
    """What is raised into the event loop, where nobody can catch it."""
    raised: list[BaseException] = []
    handler = lambda _, context: raised.append(context["exception"])  # noqa: E731
    asyncio.get_running_loop().set_exception_handler(handler)
    return raised


def request(message: Any = None, **fields: Any) -> NotificationRequest:
    address = fields.pop("address", APNS_ADDRESS)
    return NotificationRequest(address, message or {"aps": {"alert": "x"}}, **fields)


async def hangs(sending: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> bool:
    """Whether it is still waiting when every answer has long come."""
    task = asyncio.ensure_future(sending)
    _, pending = await asyncio.wait([task], timeout=0.3)
    task.cancel()
    return bool(pending)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def test_a1_it_waits_for_an_answer_for_ever(stock: APNs) -> None:
    assert await hangs(stock.send_notification(request()))


async def test_a2_a_late_answer_to_a_caller_that_gave_up_costs_the_connection(
    stock: APNs, server: ScriptedApns, unhandled: list[BaseException]
) -> None:
    assert await hangs(stock.send_notification(request()))

    server.connections[0].answer(1)
    await until(lambda: server.lost == 1)

    assert isinstance(unhandled[0], asyncio.InvalidStateError)


async def test_a3_one_caller_that_gave_up_leaves_all_others_hanging(
    stock: APNs, server: ScriptedApns, unhandled: list[BaseException]
) -> None:
    impatient = asyncio.create_task(stock.send_notification(request()))
    await server.seen(1)
    patient = asyncio.create_task(stock.send_notification(request()))
    await server.seen(2)
    impatient.cancel()
    await asyncio.wait([impatient])

    server.connections[0].close()
    await until(lambda: bool(unhandled))

    assert await hangs(patient)


async def test_a4_a_lost_connection_means_five_copies(stock: APNs, server: ScriptedApns) -> None:
    server.script = lambda connection, stream: connection.close()

    with pytest.raises(MaxAttemptsExceeded):
        await stock.send_notification(request())

    assert len({each["apns-id"] for each in server.requests}) == 1
    assert len(server.requests) == 5


async def test_a5_a_goaway_that_promises_an_answer_means_two_copies(
    stock: APNs, server: ScriptedApns
) -> None:
    def leave(connection: ScriptedConnection, stream: int) -> None:
        server.script = answer
        connection.go_away(last_stream=stream)
        connection.answer(stream)

    server.script = leave

    result = await stock.send_notification(request())

    assert result.is_successful
    assert [each["apns-id"] for each in server.requests] == [result.notification_id] * 2


async def test_a6_a_stream_that_is_reset_hangs(stock: APNs, server: ScriptedApns) -> None:
    server.script = lambda connection, stream: connection.reset(stream, ErrorCodes.REFUSED_STREAM)

    assert await hangs(stock.send_notification(request()))


async def test_a7_an_error_without_a_body_hangs(stock: APNs, server: ScriptedApns) -> None:
    server.script = lambda connection, stream: connection.answer(stream, 503)

    assert await hangs(stock.send_notification(request()))


async def test_a8_an_error_in_two_frames_means_five_copies(
    stock: APNs, server: ScriptedApns, unhandled: list[BaseException]
) -> None:
    server.script = lambda connection, stream: connection.answer(stream, 410, GONE[:20], GONE[20:])

    with pytest.raises(MaxAttemptsExceeded):
        await stock.send_notification(request())

    assert len(server.requests) == 5


async def test_a9_a_higher_limit_is_not_used(credentials: Files) -> None:
    def script(connection: ScriptedConnection, stream: int) -> None:
        if stream == 1:
            connection.allow(1000)
        asyncio.get_running_loop().call_later(0.01, connection.answer, stream)

    async with (
        scripted_apns(credentials, script, settings=ONE) as server,
        stock_aioapns(credentials, server.address) as stock,
    ):
        await stock.pool.acquire()
        await asyncio.sleep(0.05)
        await asyncio.gather(*(stock.send_notification(request()) for _ in range(60)))

    assert server.peak <= 3


async def test_a10_it_does_not_wait_for_the_first_settings(
    stock: APNs, server: ScriptedApns
) -> None:
    server.mute = True

    sending = [asyncio.create_task(stock.send_notification(request())) for _ in range(20)]
    await server.seen(20)

    for each in sending:
        each.cancel()


async def test_a11_a_closed_window_leaks_a_stream_and_its_slot(
    stock: APNs, server: ScriptedApns
) -> None:
    server.acknowledges, server.script = False, answer
    connection = await stock.pool.acquire()
    free = connection.free_channels._value

    for _ in range(16):
        await connection.send_notification(request({"aps": {"alert": "x" * 3900}}))
    with pytest.raises(FlowControlError):
        await connection.send_notification(request({"aps": {"alert": "x" * 3900}}))

    assert connection.conn.open_outbound_streams == 1
    assert connection.free_channels._value == free - 1


async def test_a12_what_cannot_be_encoded_leaks_a_stream_and_its_slot(
    stock: APNs, server: ScriptedApns
) -> None:
    connection = await stock.pool.acquire()

    for _ in range(3):
        with pytest.raises(TypeError):
            await stock.send_notification(request({"aps": object()}))

    assert connection.conn.open_outbound_streams == 3


@pytest.mark.parametrize("change", [lambda own: None, str.upper, lambda own: "another"])
async def test_a13_an_answer_without_the_very_same_id_hangs(
    change: Callable[[str], str | None], stock: APNs, server: ScriptedApns
) -> None:
    def script(connection: ScriptedConnection, stream: int) -> None:
        own = connection.headers[stream]["apns-id"]
        connection.answer(stream, apns_id=change(own))

    server.script = script

    assert await hangs(stock.send_notification(request(notification_id="0190f2a0-abcd")))


async def test_a13_of_two_pushes_with_one_id_one_hangs(stock: APNs, server: ScriptedApns) -> None:
    def script(connection: ScriptedConnection, stream: int) -> None:
        if stream == 3:
            connection.answer(1)
            connection.answer(3)

    server.script = script
    first = asyncio.create_task(stock.send_notification(request(notification_id="one")))
    await server.seen(1)
    second = await stock.send_notification(request(notification_id="one"))

    assert second.is_successful
    assert await hangs(first)


async def test_a14_it_remembers_every_push_it_ever_sent(stock: APNs, server: ScriptedApns) -> None:
    server.script = answer
    connection = await stock.pool.acquire()

    for _ in range(30):
        await stock.send_notification(request())

    assert len(connection.request_streams) == 30


async def test_a15_a_connection_is_closed_after_ten_quiet_seconds_and_tokens_are_not_shared(
    stock: APNs,
) -> None:
    one, other = await stock.pool.acquire(), await stock.pool.create_connection()

    assert one.inactivity_timer is not None
    assert one.inactivity_timer.when() - asyncio.get_running_loop().time() <= 10
    assert one.auth_provider is not other.auth_provider
    other.on_connection_lost = None
    other.close()


async def test_a16_an_expired_token_is_used_again(stock: APNs, server: ScriptedApns) -> None:
    expired = b'{"reason":"ExpiredProviderToken"}'
    server.script = lambda connection, stream: connection.answer(stream, 403, expired)

    for _ in range(2):
        await stock.send_notification(request())

    first, second = server.requests
    assert first["authorization"] == second["authorization"]


async def test_a17_a_server_that_does_not_shake_hands_holds_everyone_up(
    credentials: Files,
) -> None:
    callers: list[asyncio.StreamWriter] = []
    mute = await asyncio.start_server(lambda _, who: callers.append(who), "127.0.0.1", 0)
    async with stock_aioapns(credentials, f"localhost:{mute.sockets[0].getsockname()[1]}") as stock:
        waiting = [asyncio.create_task(stock.send_notification(request())) for _ in range(3)]
        _, pending = await asyncio.wait(waiting, timeout=0.5)
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)
    mute.close()
    for caller in callers:
        caller.close()

    assert len(pending) == 3


async def test_a18_a_connection_that_dies_at_birth_is_an_error_nobody_can_catch(
    stock: APNs, server: ScriptedApns, unhandled: list[BaseException]
) -> None:
    await stock.pool.create_connection()
    await until(lambda: bool(server.connections))

    server.connections[0].close()
    await until(lambda: bool(unhandled))

    assert isinstance(unhandled[0], ValueError)


async def test_a19_whoever_waits_for_a_stream_asks_a_hundred_times_a_second(
    credentials: Files,
) -> None:
    looks: list[None] = []
    async with (
        scripted_apns(credentials, ignore, settings=ONE) as server,
        stock_aioapns(credentials, server.address) as stock,
    ):

        class Watched(stock.pool.protocol_class):  # type: ignore[name-defined, misc]
            @property
            def is_busy(self) -> bool:
                looks.append(None)
                return bool(super().is_busy)

        stock.pool.protocol_class = Watched
        await stock.pool.acquire()
        await asyncio.sleep(0.05)
        first = asyncio.create_task(stock.send_notification(request()))
        await server.seen(1)

        assert await hangs(stock.send_notification(request()))
        first.cancel()
    assert len(looks) > 10


async def test_a20_it_names_no_authority_and_offers_no_alpn(
    stock: APNs, server: ScriptedApns
) -> None:
    server.script = answer

    await stock.send_notification(request())

    assert ":authority" not in server.requests[0]
    transport = server.connections[0].transport
    assert transport is not None
    assert transport.get_extra_info("ssl_object").selected_alpn_protocol() is None


async def test_a21_retry_after_is_lost(stock: APNs, server: ScriptedApns) -> None:
    busy, later = b'{"reason":"TooManyRequests"}', (("retry-after", "120"),)
    server.script = lambda connection, stream: connection.answer(stream, 429, busy, headers=later)

    result = await stock.send_notification(request())

    assert set(NotificationResult.__slots__) == {
        "notification_id",
        "status",
        "description",
        "timestamp",
    }
    assert isinstance(result.status, str)


async def test_a22_now_or_never_becomes_an_instant(stock: APNs, server: ScriptedApns) -> None:
    server.script = answer

    await stock.send_notification(request(time_to_live=0))

    assert int(server.requests[0]["apns-expiration"]) > 0


async def test_a23_any_address_is_put_into_the_path(stock: APNs, server: ScriptedApns) -> None:
    server.script = answer

    await stock.send_notification(request(address="../../x"))

    assert server.requests[0][":path"] == "/3/device/../../x"


async def test_a24_a_proxy_that_refuses_is_waited_for_for_ever(
    credentials: Files, server: ScriptedApns
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with stock_aioapns(credentials, server.address) as stock:
        stock.pool.proxy_host, stock.pool.proxy_port = proxy.sockets[0].getsockname()

        assert await hangs(stock.send_notification(request()))
    proxy.close()
