"""One request on its way over HTTP/2, and what came back for it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from notifications.http2.decoder import Header
from notifications.http2.ends import Head
from notifications.http2.frames import ErrorCode
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


@dataclass(slots=True)
class Exchange:
    """Waiting, then on a stream, then answered."""

    request: Request
    result: asyncio.Future[Outcome]
    deadline: float
    stream: int = 0
    written_at: float = 0.0
    status: int = 0
    headers: Sequence[Header] = ()
    body: bytearray = field(default_factory=bytearray)

    @property
    def settled(self) -> bool:
        """Whether it has a result. One whose caller gave up may still hold a stream."""
        return self.result.done() and not self.result.cancelled()

    def settle(self, outcome: Outcome) -> None:
        """The first result counts; whoever waited may have gone."""
        if not self.result.done():
            self.result.set_result(outcome)

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


def outcome_of_reset(code: int) -> Outcome:
    """What a stream that the peer reset means for its push."""
    if code == ErrorCode.REFUSED_STREAM:
        return Outcome(Verdict.NOT_SENT, "REFUSED_STREAM")
    return Outcome(Verdict.AMBIGUOUS, f"stream reset ({code})")
