"""The door of a node: takes new connections in step with everything else the node has to do.

Taking a connection costs little, but its handshake, token and subscriptions follow. An event
loop that takes everybody who knocks spends whole seconds on them, and those who are connected
already wait. So only a few are taken in each turn, and then the loop has about as much time
without new ones as these cost it. The others wait in the kernel's queue, which costs nothing.
"""

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import Callable

from kernel.clock import Clock

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Connections that are taken before others have their turn."""

REST = 0.002
"""Seconds for others; when they needed more, they get as much again."""

FULL = 0.5
"""Seconds until a process without free file descriptors tries again."""

_CLOSE_WAIT = 8


class Door:
    """Takes connections from one listening socket and hands them to protocols."""

    def __init__(
        self,
        listening: socket.socket,
        *,
        protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        clock: Clock,
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._protocol = protocol
        self._tls = tls
        self._clock = clock
        self._entering: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    taken, _ = await loop.sock_accept(self._listening)
                    self._enter(taken)
                    self._take(AT_ONCE - 1)
                except OSError as error:
                    log.error("connections cannot be taken", extra={"error": str(error)})
                    await self._clock.sleep(FULL)
                await self._rest()
        finally:
            for task in self._entering:
                task.cancel()

    def _take(self, most: int) -> None:
        """Take those who wait already."""
        for _ in range(most):
            try:
                taken, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            taken.setblocking(False)
            self._enter(taken)

    def _enter(self, taken: socket.socket) -> None:
        if _gave_up(taken):
            taken.close()
            return
        task = asyncio.get_running_loop().create_task(self._hand_over(taken))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _hand_over(self, taken: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._protocol, taken, ssl=self._tls)
        except OSError:
            # The client left, or cannot agree with us on how to encrypt.
            taken.close()

    async def _rest(self) -> None:
        before = self._clock.monotonic()
        await self._clock.sleep(REST)
        turn = self._clock.monotonic() - before - REST
        if turn > REST:
            await self._clock.sleep(turn)


def _gave_up(taken: socket.socket) -> bool:
    """Whether a client waited so long in the queue that it has closed its end already."""
    if sys.platform != "linux":
        return False
    state = taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return state[0] == _CLOSE_WAIT
