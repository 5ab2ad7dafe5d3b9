"""One node's process: uvicorn listens for a house, and leaves in order when told to."""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
import uvloop

from server.accepting import Door
from server.app import create_app
from server.house import House
from server.http_protocol import punctual_http

log = logging.getLogger(__name__)

BACKLOG = 2_048
"""Connections that wait at the door, about as many as can be taken before clients give up."""

UNANSWERED = 30.0
"""Seconds after which the system gives up a client that acknowledges nothing it is sent.

Most are found out by their silence; those that only listen have nothing to say.
"""


class NodeServer(uvicorn.Server):
    """uvicorn, but a signal first lets the connections go somewhere else.

    uvicorn alone closes every WebSocket at once with 1012, so that all clients come back in
    the same second. A second signal skips the waiting.
    """

    def __init__(
        self, config: uvicorn.Config, *, house: House, ready: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._house = house
        self._ready = ready
        self._hurry = asyncio.Event()
        self._doors: list[asyncio.Task[None]] = []

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn raises the signals it remembers again when it is done, which would end the
        # process before bus and database are closed; so this one is not remembered.
        if self.should_exit:
            self.force_exit = True
            self._hurry.set()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn itself listens on nothing: it would take everybody who knocks at once.
        await super().startup([])
        protocol = partial(self._protocol, asyncio.get_running_loop())
        for listening in sockets or ():
            door = Door(
                listening,
                protocol=protocol,
                tls=self.config.ssl,
                clock=self._house.clock,
            )
            self._doors.append(asyncio.create_task(door.run(), name="door"))
        _keep_for_good()
        _let_databases_work()
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("node leaves")
        self._house.draining = True
        await self._unless_hurried(
            self._house.clock.sleep(self._house.options.drain_notice_seconds)
        )
        for door in self._doors:
            door.cancel()
        await asyncio.gather(*self._doors, return_exceptions=True)
        for listening in sockets or ():
            listening.close()
        await self._unless_hurried(
            self._house.disconnect_all(self._house.options.drain_spread_seconds)
        )
        await super().shutdown(sockets)

    def _protocol(self, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=loop,
        )
        return made

    async def _unless_hurried(self, work: Coroutine[Any, Any, None]) -> None:
        doing = asyncio.create_task(work)
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait([doing, hurry], return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not doing.done():
            doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing


def run(
    house: House,
    *,
    websocket_class: type[asyncio.Protocol],
    sockets: Sequence[socket.socket],
    tied_to_parent: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve `house` on bound sockets until SIGTERM or SIGINT, then close it in order.

    `ready` is called once requests are answered. With `tied_to_parent` the end of standard
    input, which the parent process holds open, is taken for a signal.
    """

    config = _config(house, websocket_class)

    async def serve() -> None:
        async with house.running():
            server = NodeServer(config, house=house, ready=ready)
            if tied_to_parent:
                loop = asyncio.get_running_loop()
                loop.add_reader(sys.stdin.fileno(), _parent_gone, loop, server)
            await server.serve(sockets=list(sockets))
        log.info("node left")

    uvloop.run(serve())


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket bound to one address. Raises `OSError` when that is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Accepted connections inherit it.
        milliseconds = int(UNANSWERED * 1000)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    bound.listen(BACKLOG)
    bound.set_inheritable(True)
    return bound


def _config(house: House, websocket_class: type[asyncio.Protocol]) -> uvicorn.Config:
    options = house.options
    return uvicorn.Config(
        create_app(house),
        loop="none",
        http=punctual_http(options.head_seconds, upgrade=house.upgrade),
        ws=websocket_class,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=round(options.drain_limit_seconds),
        ssl_certfile=options.tls_certificate or None,
        ssl_keyfile=options.tls_key or None,
        forwarded_allow_ips=list(options.trusted_proxies),
    )


def _keep_for_good() -> None:
    """Let the collector leave alone what was loaded, and look less often at what comes.

    Connections are many, long-lived, and end without its help. With Python's own threshold of 700
    new objects it takes 5 % of the time in which clients connect. What is garbage by now stays as
    well: 3,000 of 230,000 objects, and to find them takes 0.2 s.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _let_databases_work() -> None:
    """Let SQLite's thread have the interpreter soon, however much the event loop has to do.

    A transaction needs it some twenty times; at Python's own five milliseconds each time, messages
    wait for their transaction longer than for the disk.
    """
    sys.setswitchinterval(0.0005)


def _parent_gone(loop: asyncio.AbstractEventLoop, server: NodeServer) -> None:
    loop.remove_reader(sys.stdin.fileno())
    log.warning("parent process ended")
    server.should_exit = True
