"""The door of a node: takes new connections in step with everything else the node has to do.

Taking a connection costs little, but its handshake, token and subscriptions follow. An event
loop that takes everybody who knocks spends whole seconds on them, and those who are connected
already wait. So only a few are taken in each turn, and after a long turn the loop has as much
time without new ones. The others wait in the kernel's queue, which costs nothing.
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

LONG = 0.004
"""Seconds that a turn takes in which others have much to do: a few connections take less."""

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
        knocked = asyncio.Event()
        try:
            while True:
                loop.add_reader(self._listening, knocked.set)
                rest = 0.0
                while not rest:
                    await knocked.wait()
                    knocked.clear()
                    rest = await self._take(loop)
                # While nobody is taken, those who wait must not wake the loop.
                loop.remove_reader(self._listening)
                await self._clock.sleep(rest)
        finally:
            loop.remove_reader(self._listening)
            for task in self._entering:
                task.cancel()

    async def _take(self, loop: asyncio.AbstractEventLoop) -> float:
        """Take some of those who wait; for how many seconds to take nobody then."""
        for _ in range(AT_ONCE):
            try:
                taken, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return 0.0
            except OSError as error:
                log.error("connections cannot be taken", extra={"error": str(error)})
                return FULL
            if _gave_up(taken):
                taken.close()
                continue
            task = loop.create_task(self._hand_over(taken, loop))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)
        turn = await self._turn()
        return turn if turn > LONG else 0.0

    async def _turn(self) -> float:
        """Let everybody do what they have to do; how long it took."""
        before = self._clock.monotonic()
        # The first ends before those are heard who said something meanwhile.
        for _ in range(2):
            await self._clock.sleep(0)
        return self._clock.monotonic() - before

    async def _hand_over(self, taken: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.connect_accepted_socket(self._protocol, taken, ssl=self._tls)
        except OSError:
            # The client left, or cannot agree with us on how to encrypt.
            taken.close()


def _gave_up(taken: socket.socket) -> bool:
    """Whether a client waited so long in the queue that it has closed its end already."""
    if sys.platform != "linux":
        return False
    state = taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return state[0] == _CLOSE_WAIT
