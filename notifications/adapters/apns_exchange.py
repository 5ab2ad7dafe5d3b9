"""One push on its way through APNs, and what came back for it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
from h2.errors import ErrorCodes

from notifications.adapters.apns_answers import Answer
from notifications.adapters.apns_message import ApnsRequest
from notifications.types import Outcome, Verdict

BODY_BYTES = 65_536
"""More of an answer than this is not kept."""


@dataclass(slots=True)
class Exchange:
    """Waiting, then on a stream, then answered."""

    request: ApnsRequest
    answer: asyncio.Future[Answer | Outcome]
    deadline: float
    stream: int = 0
    authorization: str = ""
    written_at: float = 0.0
    status: int = 0
    apns_id: str = ""
    retry_after: str = ""
    body: bytearray = field(default_factory=bytearray)

    @property
    def settled(self) -> bool:
        """Whether it has a result. One whose caller gave up may still hold a stream."""
        return self.answer.done() and not self.answer.cancelled()

    def settle(self, result: Answer | Outcome) -> None:
        """The first result counts; whoever waited may have gone."""
        if not self.answer.done():
            self.answer.set_result(result)


def read_head(exchange: Exchange, headers: Any) -> None:
    """Take what matters from an answer's header list."""
    for name, value in headers:
        if name == b":status":
            exchange.status = int(value)
        elif name == b"apns-id":
            exchange.apns_id = value.decode("ascii", "replace")
        elif name == b"retry-after":
            exchange.retry_after = value.decode("ascii", "replace")


def read_answer(exchange: Exchange) -> Answer:
    """A complete answer; a body that is not what APNs promises leaves the reason empty."""
    reason, timestamp = "", None
    if exchange.body:
        try:
            content = msgspec.json.decode(bytes(exchange.body))
        except (msgspec.DecodeError, UnicodeDecodeError):
            content = None
        if isinstance(content, dict):
            said, since = content.get("reason"), content.get("timestamp")
            reason = said if isinstance(said, str) else ""
            timestamp = since if isinstance(since, int) else None
    return Answer(
        status=exchange.status,
        reason=reason,
        apns_id=exchange.apns_id or exchange.request.notification_id,
        timestamp=timestamp,
        retry_after=exchange.retry_after,
    )


def outcome_of_reset(code: int | None) -> Outcome:
    """What a stream that the peer reset means for its push."""
    if code == ErrorCodes.REFUSED_STREAM:
        return Outcome(Verdict.NOT_SENT, "REFUSED_STREAM")
    return Outcome(Verdict.AMBIGUOUS, f"stream reset ({code})")
