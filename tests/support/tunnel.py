"""TCP connections through this process, which does to them what networks do."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Self

HOST = "127.0.0.1"
CHUNK = 65_536
WINDOW = 16_384
"""Bytes that the kernel keeps of a direction that is held, so that senders soon notice."""


class Link:
    """One connection through a tunnel: two sockets, and two directions that can be held."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._up = (client[0], server[1])
        self._down = (server[0], client[1])
        self._writers = (client[1], server[1])
        self._open = {True: asyncio.Event(), False: asyncio.Event()}
        self.release()

    def hold(self, *, up: bool = True, down: bool = True) -> None:
        """Let nothing through, not even the news that an end is closed."""
        for direction, held in ((True, up), (False, down)):
            if held:
                self._open[direction].clear()

    def release(self) -> None:
        """Let everything through that waited, and what comes."""
        for event in self._open.values():
            event.set()

    def cut(self) -> None:
        """Reset both ends."""
        for writer in self._writers:
            _reset(writer)

    def vanish(self) -> None:
        """Reset the client's end, and let the server believe that all is well."""
        self.hold()
        _reset(self._writers[0])

    async def carry(self) -> None:
        """Until both ends are closed, or one is reset."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(*self._up, self._open[True]))
                group.create_task(self._pump(*self._down, self._open[False]))
        except* OSError:
            pass
        finally:
            self.cut()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, open: asyncio.Event
    ) -> None:
        while True:
            await open.wait()
            data = await reader.read(CHUNK)
            await open.wait()
            if not data:
                break
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()


class Tunnel:
    """Listens on a port of its own for connections to others, given out in turns.

    With several targets it is a load balancer as operators put in front of gateways: a target
    that does not take a connection is passed over.
    """

    def __init__(self, targets: Sequence[int]) -> None:
        self.port = 0
        self.targets = list(targets)
        self.shut = False
        """Whether new connections are reset."""
        self.silent = False
        """Whether new connections are held from their beginning."""
        self.links: set[Link] = set()
        self._turns = count()

    @classmethod
    @asynccontextmanager
    async def dug(cls, *targets: int) -> AsyncIterator[Self]:
        """A tunnel that listens; in the end all of its connections are cut."""
        tunnel = cls(targets)
        carrying: set[asyncio.Task[None]] = set()

        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(tunnel._serve(reader, writer))
            carrying.add(task)
            task.add_done_callback(carrying.discard)

        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        listening.bind((HOST, 0))
        server = await asyncio.start_server(take, sock=listening, limit=CHUNK, backlog=1024)
        tunnel.port = server.sockets[0].getsockname()[1]
        try:
            yield tunnel
        finally:
            server.close()
            for task in list(carrying):
                task.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)

    def hold(self, *, up: bool = True, down: bool = True) -> None:
        """A black hole: nothing passes any more, and nobody is told."""
        self.silent = True
        for link in list(self.links):
            link.hold(up=up, down=down)

    def release(self) -> None:
        """Everything passes again, also what waited."""
        self.silent = self.shut = False
        for link in list(self.links):
            link.release()

    def cut(self) -> None:
        """Reset every connection."""
        for link in list(self.links):
            link.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond = None if self.shut else await self._beyond()
        if beyond is None:
            _reset(writer)
            return
        link = Link((reader, writer), beyond)
        if self.silent:
            link.hold()
        self.links.add(link)
        try:
            await link.carry()
        finally:
            self.links.discard(link)

    async def _beyond(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turns)
        for turn in range(len(self.targets)):
            port = self.targets[(first + turn) % len(self.targets)]
            beyond = socket.socket()
            beyond.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
            beyond.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(beyond, (HOST, port))
                return await asyncio.open_connection(sock=beyond, limit=CHUNK)
            except OSError:
                beyond.close()
        return None


def _reset(writer: asyncio.StreamWriter) -> None:
    end = writer.get_extra_info("socket")
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
