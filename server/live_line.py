"""One connection of a client: a socket, the protocol's state on it, and who asked what there."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from kernel.backoff import Backoff
from messaging.protocol.client import ClientProtocol
from messaging.protocol.frames import Request, Result
from messaging.protocol.results import Error


class Refused(Exception):
    """The server said no, and would say it again."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


@dataclass(frozen=True, slots=True)
class Patience:
    """How a client waits, in seconds."""

    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.2, cap=5.0, floor=0.05))
    """Before the next try to connect, or to ask what could not be answered just now."""
    answer: float = 10.0
    """A connection on which nothing is answered for so long is given up."""
    ping: float = 5.0
    """So much later than agreed may a ping come."""


class Lost(Exception):
    """This connection is of no more use; the next one may be."""


@dataclass(slots=True, eq=False)
class Question:
    """Something asked, until it is answered, over however many connections."""

    request: Request
    answer: "asyncio.Future[Result | Error]"


class Line:
    """One connection: a socket, the protocol's state on it, and who asked what there."""

    def __init__(self, websocket: ClientConnection, protocol: ClientProtocol) -> None:
        self.websocket = websocket
        self.protocol = protocol
        self.questions: dict[int, Question] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    async def send(self) -> None:
        """Send what there is to be sent, for as long as the connection lives."""
        binary = self.protocol.codec.binary
        with suppress(ConnectionClosed):
            while True:
                await self._wake.wait()
                self._wake.clear()
                output = self.protocol.take_output()
                if output is not None:
                    await self.websocket.send(output if binary else output.decode())
