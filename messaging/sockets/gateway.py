"""Where connections of this node begin, and how they are sent away when it stops."""

import math
import os
import secrets
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.options import option
from messaging.connections.connection import Connection
from messaging.connections.departures import Departures, Wire, WireOptions
from messaging.connections.host import Host
from messaging.connections.wheel import TimerWheel
from messaging.hub import Hub
from messaging.protocol.codes import DisconnectCode

WAVE = 0.25
"""Seconds between the waves in which connections are sent away."""

TRANSPORTS = ("http_stream", "sse", "uni_websocket", "uni_http_stream", "uni_sse")
"""Ways to connect that an operator may leave out."""


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Whom a node takes in."""

    connections: int = option(50_000, "Connections of one process; more are told to come back.")
    origins: tuple[str, ...] = option(
        (),
        "Web origins whose pages may connect, besides the server's own; * lets all of them.",
    )
    transports: tuple[str, ...] = option(
        ("http_stream", "sse"),
        "Ways to connect beside WebSocket: http_stream and sse, which SDKs fall back to where "
        "WebSockets are blocked; uni_websocket, uni_http_stream and uni_sse for programs that "
        "only listen and use no SDK.",
    )

    def __post_init__(self) -> None:
        if self.connections < 1:
            raise ValueError("connections must be at least 1")
        if not set(self.transports) <= set(TRANSPORTS):
            raise ValueError("transports must be some of " + ", ".join(TRANSPORTS))


def new_session() -> str:
    """A secret for one connection, which nobody can guess."""
    return secrets.token_urlsafe(36)


class Gateway:
    """Makes connections and ends them in waves, so that they do not all come back at once."""

    def __init__(
        self,
        *,
        hub: Hub,
        host: Host,
        departures: Departures,
        wheel: TimerWheel,
        clock: Clock,
        wire_options: WireOptions,
        options: GatewayOptions,
    ) -> None:
        self.departures = departures
        self.wheel = wheel
        self.wire_options = wire_options
        self.options = options
        self.draining = False
        """Whether connections are being sent away: the node is not ready for new ones."""
        self._hub = hub
        self._host = host
        self._clock = clock

    @property
    def accepting(self) -> bool:
        """Whether there is room for one more connection."""
        return not self.draining and len(self._hub.connections) < self.options.connections

    def connect(self, wire: Wire) -> Connection:
        """A connection over `wire`, which must hand it what the client says."""
        if wire.codec.one_way:
            # So that its client can tell the application which connection to subscribe.
            wire.session = new_session()
        connection = Connection(self._host, wire, client=_new_client())
        self._hub.roster.opened(connection)
        return connection

    async def drain(self, seconds: float) -> None:
        """Take nobody in and send everybody away, evenly over `seconds`."""
        self.draining = True
        waves = max(1, round(seconds / WAVE))
        while self._hub.connections:
            going = list(self._hub.connections)
            for connection in going[: math.ceil(len(going) / waves)]:
                connection.disconnect(DisconnectCode.SHUTDOWN)
            waves = max(1, waves - 1)
            if self._hub.connections:
                await self._clock.sleep(WAVE)


def _new_client() -> str:
    """A UUID of 122 random bits, without making an object of it first."""
    text = os.urandom(16).hex()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
