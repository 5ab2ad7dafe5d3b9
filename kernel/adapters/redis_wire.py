"""One raw connection to Redis: bytes in, replies out. Knows nothing of what is said on it."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import hiredis

from kernel.adapters.redis_address import Endpoint
from kernel.adapters.redis_options import RedisOptions

AT_ONCE = 512
"""Commands in one write, and words in one command, so that Redis serves others in between."""


class Refused(Exception):
    """Redis said no, or something that is not its protocol."""


class Wire(asyncio.Protocol):
    """One connection. `ready` when Redis has answered, `ended` with the reason.

    `took` is given every reply after that, and may raise `Refused` to end the connection.
    """

    def __init__(self, took: Callable[[Any], None]) -> None:
        loop = asyncio.get_running_loop()
        self._took = took
        self._parser = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Exception] = loop.create_future()
        self.alive = False
        """Whether anything arrived since this was last set to False."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do what asyncio's do, but do not derive from them.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.alive = True
        self._parser.feed(data)
        try:
            while (reply := self._parser.gets()) is not False:
                if self.ready.done():
                    self._took(reply)
                else:
                    self._greeted(reply)
        except hiredis.ProtocolError as error:
            self._end(Refused(f"not the Redis protocol: {error}"))
        except Refused as error:
            self._end(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionResetError("Redis closed the connection"))

    def send(self, *words: bytes | str) -> None:
        self.write(packed(*words))

    def write(self, commands: bytes) -> None:
        """Send what `packed` made."""
        assert self._transport is not None
        self._transport.write(commands)

    def pause(self) -> None:
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _greeted(self, reply: Any) -> None:
        """To AUTH and the first PING."""
        if isinstance(reply, hiredis.ReplyError):
            raise Refused(str(reply))
        if reply == b"PONG":
            self.ready.set_result(None)

    def _end(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
        if not self.ready.done():
            self.ready.set_exception(reason)
        self.abort()


def packed(*words: bytes | str) -> bytes:
    """One command on the wire."""
    # Its stub knows only tuples of one word.
    command: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return command


@dataclass(slots=True)
class _Asked:
    """Commands whose replies somebody waits for."""

    missing: int
    answered: asyncio.Future[list[Any]]
    replies: list[Any] = field(default_factory=list)


class Line:
    """A connection for questions: every command is answered, in order."""

    def __init__(self) -> None:
        self._asked: deque[_Asked] = deque()
        self.wire: Wire | None = None

    async def ask(self, commands: Iterable[bytes]) -> list[Any]:
        """The replies to what `packed` made; a refusal is among them as a `ReplyError`.

        Raises what ended the connection.
        """
        assert self.wire is not None, "a line is asked once it is connected"
        if self.wire.ended.done():
            raise self.wire.ended.result()
        together = list(commands)
        asked = _Asked(len(together), asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self.wire.write(b"".join(together))
        either: list[asyncio.Future[Any]] = [asked.answered, self.wire.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not asked.answered.done():
            raise self.wire.ended.result()
        return asked.answered.result()

    def take(self, reply: Any) -> None:
        """Take a reply from the wire."""
        if not self._asked:
            raise Refused("it answers what was not asked")
        asked = self._asked[0]
        asked.replies.append(reply)
        asked.missing -= 1
        if not asked.missing:
            self._asked.popleft()
            if not asked.answered.done():
                asked.answered.set_result(asked.replies)


class Dialer:
    """Opens connections to what the options name, and proves who we are."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options

    async def dial(self, endpoint: Endpoint, took: Callable[[Any], None]) -> Wire:
        """A connection to a server that keeps things, ready. Raises what went wrong."""
        address = self._options.address
        return await self._dial(endpoint, took, address.user, address.password)

    async def line(self, endpoint: Endpoint) -> Line:
        """A line to such a server."""
        line = Line()
        line.wire = await self.dial(endpoint, line.take)
        return line

    async def sentinel_line(self, endpoint: Endpoint) -> Line:
        """A line to a sentinel, which has credentials of its own."""
        line, options = Line(), self._options
        line.wire = await self._dial(
            endpoint, line.take, options.sentinel_user, options.sentinel_password
        )
        return line

    async def _dial(
        self, endpoint: Endpoint, took: Callable[[Any], None], user: str, password: str
    ) -> Wire:
        loop = asyncio.get_running_loop()
        wire = Wire(took)
        try:
            if endpoint.port:
                await loop.create_connection(lambda: wire, *endpoint, ssl=self._tls)
            else:
                await loop.create_unix_connection(lambda: wire, endpoint.host)
            if password:
                wire.send(b"AUTH", *filter(None, (user, password)))
            wire.send(b"PING")
            await wire.ready
        except BaseException:
            wire.abort()
            raise
        return wire

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        options = self._options
        if not options.address.tls:
            return None
        for file in filter(None, (options.tls_ca, options.tls_certificate, options.tls_key)):
            # What the ssl module says of a file that cannot be read does not name it.
            Path(file).open("rb").close()
        context = ssl.create_default_context(cafile=options.tls_ca or None)
        context.check_hostname = options.tls_check_hostname
        if options.tls_certificate:
            context.load_cert_chain(options.tls_certificate, options.tls_key)
        return context
