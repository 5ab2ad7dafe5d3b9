"""One raw connection to Redis: bytes in, replies out. Knows nothing of subscriptions."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)

_WORDS_AT_ONCE = 512
"""Arguments of one command, so that Redis serves others between two of them."""


class Refused(Exception):
    """Redis said no, or something that is not its protocol."""


class Wire(asyncio.Protocol):
    """One connection. `ready` when Redis has answered, `ended` with the reason."""

    def __init__(self, took: Callable[[list[Any]], None]) -> None:
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
                if isinstance(reply, list):
                    self._took(reply)
                else:
                    self._answered(reply)
        except hiredis.ProtocolError as error:
            self._end(Refused(f"not the Redis protocol: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionResetError("Redis closed the connection"))

    def send(self, *words: bytes | str) -> None:
        assert self._transport is not None
        # Its stub knows only tuples of one word.
        self._transport.write(hiredis.pack_command(words))  # type: ignore[arg-type]

    def send_for(self, command: bytes, channels: Iterable[bytes]) -> None:
        """Send `command` for all channels, not too many at once."""
        rest = list(channels)
        for start in range(0, len(rest), _WORDS_AT_ONCE):
            self.send(command, *rest[start : start + _WORDS_AT_ONCE])

    def pause(self) -> None:
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _answered(self, reply: Any) -> None:
        """To AUTH and the first PING; later only refusals are no lists."""
        if isinstance(reply, hiredis.ReplyError):
            self._end(Refused(str(reply)))
        elif reply == b"PONG" and not self.ready.done():
            self.ready.set_result(None)

    def _end(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
        if not self.ready.done():
            self.ready.set_exception(reason)
        self.abort()


def target_of(url: str) -> AbstractConnection:
    """The address in `url` as redis-py reads it, so that both connect to the same place."""
    target: AbstractConnection = ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
    return target


async def dial(target: AbstractConnection, took: Callable[[list[Any]], None]) -> Wire:
    """Open what redis-py would open, prove who we are and wait for the first answer."""
    loop = asyncio.get_running_loop()
    if isinstance(target, UnixDomainSocketConnection):
        _, wire = await loop.create_unix_connection(lambda: Wire(took), target.path)
    else:
        assert isinstance(target, Connection)
        tls = target.ssl_context.get() if isinstance(target, SSLConnection) else None
        _, wire = await loop.create_connection(
            lambda: Wire(took), target.host, target.port, ssl=tls
        )
    try:
        credentials = [word for word in (target.username, target.password) if word]
        if credentials:
            wire.send(b"AUTH", *credentials)
        wire.send(b"PING")
        await wire.ready
    except BaseException:
        wire.abort()
        raise
    return wire
