"""Connections of the application's own servers, which connect with an API key.

They ask by RPC for what their key opens over HTTP, and for nothing else: they listen to nothing,
are in nobody's presence, and no user's method is known to them, as no user knows theirs.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.errors import Unauthenticated
from kernel.identity import ApiKeys, Principal
from messaging.commands.gate import Gate
from messaging.commands.procedures import Procedures
from messaging.connections.connection import Connection
from messaging.hub import Hub
from messaging.protocol.codes import DisconnectCode, ErrorCode, ProtocolViolation
from messaging.protocol.frames import Command
from messaging.protocol.requests import ConnectRequest, RPCRequest
from messaging.protocol.results import ConnectResult
from messaging.refusals import Declined

if TYPE_CHECKING:
    from messaging.commands.commands import Commands

log = logging.getLogger(__name__)

_IN_ADDRESSES = "sse"
"""The way to connect that says who it is in the address, where no key belongs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackEnds:
    """Which servers are let in, and what they may ask."""

    keys: ApiKeys
    count: Callable[[Principal], None]
    """Counts what a server asks, wherever it asks. Raises `RateLimited` when it is too much."""
    procedures: Procedures
    version: str


class Servers:
    """The host of their connections; what failed is answered, and counted, as for all others."""

    def __init__(self, commands: "Commands", back_ends: BackEnds, *, hub: Hub, gate: Gate) -> None:
        self.clock = commands.clock
        self.wheel = commands.wheel
        self.options = commands.options
        self.rules = commands.rules
        self.rates = commands.rates
        self._commands = commands
        self._back_ends = back_ends
        self._hub = hub
        self._gate = gate

    async def connect(
        self, connection: Connection, command: Command, request: ConnectRequest
    ) -> None:
        """Answer `connect` of a server. Raises `ProtocolViolation`, `Declined`, `Unavailable`."""
        wire = connection.wire
        if wire.codec.one_way or wire.medium == _IN_ADDRESSES:
            raise ProtocolViolation(DisconnectCode.PERMISSION_DENIED)
        async with self._gate.admitted():
            principal = await self._known(self._back_ends.keys.verify(request.token))
        if not connection.is_open:
            return
        connection.host = self
        log.info("server connected", extra={"key_id": principal.key_id})
        result = ConnectResult(
            client=connection.client,
            version=self._back_ends.version,
            session=wire.session,
            node=wire.node,
        )
        connection.accept(command, result, principal)

    # --- what a connection needs of its node ---------------------------------------------------

    def overlaps(self, _method: str) -> bool:
        """Calls of a server are as its HTTP requests: whoever wants an order waits for answers."""
        return True

    def at_once(self, _connection: Connection, _command: Command) -> bool:
        return False

    async def handle(self, connection: Connection, command: Command) -> None:
        request = command.request
        if type(request) is not RPCRequest:
            raise Declined(ErrorCode.PERMISSION_DENIED, "Servers call methods, and nothing else.")
        assert connection.principal is not None, "only who has connected is handed over"
        key_id = connection.principal.key_id
        assert key_id is not None, "only who showed a key is handed over"
        principal = await self._known(self._back_ends.keys.server(key_id))
        self._back_ends.count(principal)
        result = await self._back_ends.procedures.call(principal, request)
        connection.reply(command, result)
        self._commands.done(command)

    def failed(self, connection: Connection, command: Command, error: BaseException) -> None:
        self._commands.failed(connection, command, error)

    def expired(self, _connection: Connection, channel: str) -> None:
        raise AssertionError(f"a server listens to {channel}")

    def vanished(self, _connection: Connection) -> None:
        """Nobody misses anything."""

    def ended(self, connection: Connection) -> None:
        self._hub.leave(connection)

    @staticmethod
    async def _known(looking: Awaitable[Principal]) -> Principal:
        """The server that a key is of; who has none that is good does not come back."""
        try:
            return await looking
        except Unauthenticated as error:
            log.info("API key refused", extra={"reason": error.message})
            raise ProtocolViolation(DisconnectCode.INVALID_TOKEN) from None
