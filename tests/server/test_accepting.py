"""The door of a node: a few at a time, and nobody who has left already."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from itertools import pairwise

import pytest

from kernel.clock import Clock, SystemClock
from server.accepting import AT_ONCE, Door
from tests.support.clock import ManualClock
from tests.support.redis_tls import make_certificates


class Guest(asyncio.Protocol):
    """Somebody who was let in."""

    peer: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.peer = transport.get_extra_info("peername")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as made:
        yield made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@asynccontextmanager
async def opened(
    listening: socket.socket, clock: Clock, protocol: Callable[[], asyncio.Protocol]
) -> AsyncIterator[None]:
    door = Door(listening, protocol=protocol, tls=None, clock=clock)
    running = asyncio.create_task(door.run())
    yield
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
async def inside(listening: socket.socket, clock: ManualClock) -> AsyncIterator[list[Guest]]:
    """Everybody who was let in so far; the door opens once the test waits."""
    let_in: list[Guest] = []

    def protocol() -> Guest:
        let_in.append(Guest())
        return let_in[-1]

    async with opened(listening, clock, protocol):
        yield let_in


def knock(listening: socket.socket) -> socket.socket:
    return socket.create_connection(listening.getsockname())


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_few_come_in_at_once_but_nobody_waits_while_there_is_little_to_do(listening, inside):
    with ExitStack() as knocking:
        for _ in range(3 * AT_ONCE):
            knocking.enter_context(knock(listening))

        counts = [0]
        while len(inside) < 3 * AT_ONCE:
            await asyncio.sleep(0)
            counts.append(len(inside))

        assert max(later - earlier for earlier, later in pairwise(counts)) <= AT_ONCE


async def test_after_a_long_turn_the_loop_has_as_much_time_without_new_ones(listening, clock):
    inside: list[Guest] = []

    def protocol() -> Guest:
        clock.move(seconds=1)
        inside.append(Guest())
        return inside[-1]

    with ExitStack() as knocking:
        for _ in range(AT_ONCE + 1):
            knocking.enter_context(knock(listening))
        async with opened(listening, clock, protocol):
            await clock.asleep()
            clock.move(seconds=AT_ONCE - 1)
            await turns()
            assert len(inside) == AT_ONCE

            clock.move(seconds=1)
            async with asyncio.timeout(60):
                while len(inside) == AT_ONCE:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0)

    assert len(inside) == AT_ONCE + 1


async def test_who_left_while_waiting_at_the_door_costs_nothing(listening, inside):
    with knock(listening) as leaving, knock(listening) as staying:
        leaving.sendall(b"GET / HTTP/1.1\r\n\r\n")
        leaving.close()

        async with asyncio.timeout(60):
            while not inside:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        await turns()

        assert [guest.peer for guest in inside] == [staying.getsockname()]


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
