"""One request on its way over HTTP/2, and what came back for it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from notifications.http2.decoder import Header
from notifications.http2.ends import Head
from notifications.http2.frames import ErrorCode
from notifications.ports import Landed
from notifications.types import Outcome, Verdict

BODY_BYTES = 65_536
"""More of an answer than this is not kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, complete. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Judged:
    """What an answer means, and whether no further push goes over its connection."""

    outcome: Outcome
    ends_connection: bool = False


class Request(Protocol):
    """One push as its provider wants it."""

    @property
    def body(self) -> bytes: ...

    def head(self) -> Head:
        """The headers as they are at the moment of writing."""
        ...

    def judge(self, answer: Answer) -> Judged:
        """What the provider said of it."""
        ...


class Pool(Protocol):
    """Connections to a place of a provider."""

    def submit(self, request: Request, tell: Callable[[Outcome], None]) -> "Exchange":
        """Send it as soon as there is a stream; `tell` hears its outcome by the deadline."""
        ...


@dataclass(slots=True)
class Exchange:
    """Waiting, then on a stream, then answered."""

    request: Request
    tell: Callable[[Outcome], None]
    deadline: float
    stream: int = 0
    written_at: float = 0.0
    status: int = 0
    headers: Sequence[Header] = ()
    body: bytearray = field(default_factory=bytearray)

    settled: bool = False
    abandoned: bool = False
    """Its caller gave up: it is not sent any more, but may still hold a stream."""

    def settle(self, outcome: Outcome) -> None:
        """The first outcome counts; whoever waited may have gone."""
        if not self.settled:
            self.settled = True
            if not self.abandoned:
                self.tell(outcome)

    def lose(self, outcome: Outcome) -> None:
        """Nothing more will come. If the status did, it says whether the push was accepted."""
        if self.status:
            verdict = Verdict.ACCEPTED if self.status == 200 else Verdict.FAILED
            outcome = Outcome(verdict, f"HTTP {self.status}, then {outcome.reason}")
        self.settle(outcome)

    def read_head(self, headers: Sequence[Header]) -> None:
        """Take an answer's header list. What comes after the body says nothing of pushes."""
        if not self.status:
            status = next((int(value) for name, value in headers if name == b":status"), 0)
            # Below 200 it only says that the answer is still to come.
            if status >= 200:
                self.status, self.headers = status, headers

    def answer(self) -> Answer:
        """What came, now that it is complete."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        return Answer(self.status, headers, bytes(self.body))


class Volley:
    """The attempts of one call: each is told as it lands, and the call waits for all of them."""

    def __init__(self, count: int, landed: Landed) -> None:
        self._outcomes: dict[int, Outcome] = {}
        self._exchanges: list[Exchange] = []
        self._count = count
        self._landed = landed
        self._whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not count:
            self._whole.set_result(None)

    def land(self, number: int, outcome: Outcome) -> None:
        """What became of one of them."""
        self._outcomes[number] = outcome
        self._landed(number, outcome)
        if len(self._outcomes) == self._count and not self._whole.done():
            self._whole.set_result(None)

    def send(self, pool: Pool, number: int, request: Request) -> None:
        """Have the pool send one of them."""
        self._exchanges.append(pool.submit(request, partial(self.land, number)))

    async def outcomes(self) -> Mapping[int, Outcome]:
        """What became of all of them. Whoever is tired of waiting abandons them."""
        try:
            await self._whole
        finally:
            for each in self._exchanges:
                each.abandoned = not each.settled
        return self._outcomes


def outcome_of_reset(code: int) -> Outcome:
    """What a stream that the peer reset means for its push."""
    if code == ErrorCode.REFUSED_STREAM:
        return Outcome(Verdict.NOT_SENT, "REFUSED_STREAM")
    return Outcome(Verdict.AMBIGUOUS, f"stream reset ({code})")
