"""Requests that never begin, never end or never stop growing, over real sockets."""

import asyncio
import socket

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from server.http_protocol import HEAD_BYTES, punctual_http


async def hello(scope, receive, send):
    await PlainTextResponse("hello")(scope, receive, send)


@pytest.fixture
def patience() -> float:
    """Seconds that a head may take."""
    return 0.2


def no_upgrade(_data, _transport, _peers):
    return False


@pytest.fixture(params=[None, no_upgrade], ids=["HTTP only", "greeted"])
async def port(patience, request):
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            hello,
            http=punctual_http(patience, upgrade=request.param),
            lifespan="off",
            log_config=None,
            timeout_keep_alive=30,
        )
    )
    serving = asyncio.create_task(server._serve([bound]))
    for _ in range(1_000):
        if server.started:
            break
        await asyncio.sleep(0.01)
    yield bound.getsockname()[1]
    server.should_exit = True
    await serving


@pytest.fixture
async def peer(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield reader, writer
    writer.close()


WHOLE = b"GET / HTTP/1.1\r\nhost: t\r\n\r\n"


async def ended(reader):
    """Whether the server hangs up, without having said anything more."""
    async with asyncio.timeout(5):
        try:
            return await reader.read() == b""
        except ConnectionResetError:
            return True


@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: t\r\n"], ids=["nothing", "line", "head"]
)
async def test_who_does_not_finish_a_head_is_hung_up_on(peer, said):
    reader, writer = peer
    writer.write(said)

    assert await ended(reader)


async def test_the_second_head_of_a_connection_must_come_in_time_as_well(peer):
    reader, writer = peer
    writer.write(WHOLE)
    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")

    writer.write(b"GET / HTTP/1.1\r\n")

    assert await ended(reader)


async def test_a_quiet_connection_between_two_requests_is_kept(peer):
    reader, writer = peer
    for _ in range(2):
        writer.write(WHOLE)
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.3)


@pytest.mark.parametrize("patience", [3600.0])
@pytest.mark.parametrize("endless", [b"x: y\r\n", b"z"], ids=["headers", "one header"])
async def test_a_head_may_not_grow_without_end(peer, endless):
    reader, writer = peer
    writer.write(b"GET / HTTP/1.1\r\n" + endless * (2 * HEAD_BYTES // len(endless)))

    assert await ended(reader)


async def test_a_large_body_is_no_large_head(peer):
    reader, writer = peer
    body = b"x" * (4 * HEAD_BYTES)
    head = b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: %d\r\n\r\n" % len(body)
    writer.write(head + body)

    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
