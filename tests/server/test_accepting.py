"""The door of a node: a few at a time, and nobody who has left already."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress

import pytest

from kernel.clock import SystemClock
from server.accepting import AT_ONCE, Door
from tests.support.clock import ManualClock
from tests.support.redis_tls import make_certificates


class Guest(asyncio.Protocol):
    """Somebody who was let in."""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as made:
        yield made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def inside(listening: socket.socket, clock: ManualClock) -> AsyncIterator[list[Guest]]:
    """Everybody who was let in so far; the door opens once the test waits."""
    let_in: list[Guest] = []

    def protocol() -> Guest:
        let_in.append(Guest())
        return let_in[-1]

    door = Door(listening, protocol=protocol, tls=None, clock=clock)
    running = asyncio.create_task(door.run())
    yield let_in
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def knock(listening: socket.socket) -> socket.socket:
    return socket.create_connection(listening.getsockname())


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_few_come_in_and_the_others_wait_until_the_loop_had_time(listening, clock, inside):
    with ExitStack() as knocking:
        for _ in range(2 * AT_ONCE + 1):
            knocking.enter_context(knock(listening))

        counts = []
        for _ in range(3):
            await clock.asleep()
            await turns()
            counts.append(len(inside))
            clock.move(seconds=1)
            # The loop took all of this second, so it has another one for itself.
            await clock.asleep()
            await turns()
            assert len(inside) == counts[-1]
            clock.move(seconds=1)

    assert counts == [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1]


async def test_who_left_while_waiting_at_the_door_costs_nothing(listening, clock, inside):
    with knock(listening) as leaving, knock(listening):
        leaving.sendall(b"GET / HTTP/1.1\r\n\r\n")
        leaving.close()

        await clock.asleep()
        await turns()

        assert len(inside) == 1


async def test_over_tls_who_speaks_plainly_is_let_go_and_the_others_come_in(listening, tmp_path):
    make_certificates(tmp_path)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    let_in: list[Guest] = []

    def protocol() -> Guest:
        let_in.append(Guest())
        return let_in[-1]

    door = Door(listening, protocol=protocol, tls=serving, clock=SystemClock())
    running = asyncio.create_task(door.run())
    host, port = listening.getsockname()
    reader, plain = await asyncio.open_connection(host, port)
    plain.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await reader.read() == b""
    plain.close()
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    _, trusted = await asyncio.open_connection(
        host, port, ssl=trusting, server_hostname="localhost"
    )

    assert let_in
    trusted.transport.abort()
    running.cancel()
    await asyncio.wait([running])
