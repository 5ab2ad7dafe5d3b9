"""When to stop a route, because our own configuration looks wrong. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from notifications.types import TokenFault, Verdict

MISCONFIGURED_IN_A_ROW = 5
SUSPECTS_ALONE = 20
"""So many suspect tokens without a single accepted push mean a wrong key or environment."""
WINDOW = 200
"""How many answers are looked back on."""
SUSPECT_SHARE = 0.2
SUSPECTS_IN_A_ROW = 5
"""So many with nothing accepted between them are ours for a while: none of them is given up."""

_PROVES_US_RIGHT = frozenset({Verdict.ACCEPTED, Verdict.REJECTED, Verdict.TOKEN_GONE})
"""Answers that a provider gives only to somebody whose credentials it took."""


class Hold(StrEnum):
    """Why a route is held."""

    MISCONFIGURED = "misconfigured"
    SUSPECT_TOKENS = "suspect_tokens"
    FAILING = "failing"
    """The provider's own fault; see `notifications/health.py`."""


class Breaker:
    """Holds a route while it cannot work, and lets one push through now and then to see.

    All instants are monotonic seconds.
    """

    def __init__(self, *, probe_every: float = 30.0) -> None:
        self._probe_every = probe_every
        self._probe_at = 0.0
        self._in_a_row = 0
        self.hold: Hold | None = None

    def allow(self, wanted: int, *, now: float) -> int:
        """How many of `wanted` pushes may go: all of them, or while held one probe or none."""
        if self.hold is None:
            return wanted
        if now < self._probe_at or wanted < 1:
            return 0
        self._probe_at = now + self._probe_every
        return 1

    def give_back(self, *, now: float) -> None:
        """A probe that was allowed found nothing to send; another lane may."""
        self._probe_at = now

    def record(self, verdict: Verdict, *, now: float) -> None:
        """Learn from an answer; it may hold the route, or release it."""
        if verdict is Verdict.MISCONFIGURED:
            self._in_a_row += 1
            if self._in_a_row >= MISCONFIGURED_IN_A_ROW and self.hold is None:
                self.open(Hold.MISCONFIGURED, now=now)
        elif verdict in _PROVES_US_RIGHT:
            self._in_a_row = 0
            if self.hold is Hold.MISCONFIGURED or verdict is Verdict.ACCEPTED:
                self.hold = None

    def release(self) -> None:
        """What held the route was mended."""
        self.hold = None
        self._in_a_row = 0

    def open(self, hold: Hold, *, now: float) -> None:
        """Hold the route from now on."""
        self.hold = hold
        self._probe_at = now + self._probe_every


class SuspectGuard:
    """Keeps a wrong key, project or environment from disabling every good address.

    A suspect address is given up only once enough later pushes were accepted that the fault
    must be its own: were it ours, nothing would be accepted. Many in a row are no proof of that:
    we may have been wrong for a moment, and be right again by now.
    """

    def __init__(self) -> None:
        self._window: deque[_Answer] = deque()
        self._waiting = 0
        self._suspects = 0
        self._accepted = 0

    def record(self, verdict: Verdict, fault: TokenFault | None) -> None:
        """Learn from an answer; `fault` comes with a suspect one."""
        if fault is not None:
            self._remember(_Answer(fault, accepted=False, waiting=True))
        elif verdict in _PROVES_US_RIGHT:
            self._remember(_Answer(None, accepted=verdict is Verdict.ACCEPTED, waiting=False))

    @property
    def alarmed(self) -> bool:
        """Whether the suspects are so many that the fault must be ours."""
        if self._suspects >= SUSPECTS_ALONE and self._accepted == 0:
            return True
        return len(self._window) == WINDOW and self._suspects > SUSPECT_SHARE * WINDOW

    def trusted(self) -> Sequence[TokenFault]:
        """The suspects whose addresses are at fault themselves; each is given once."""
        accepted = suspects = 0
        found: list[TokenFault] = []
        for answer in reversed(self._window):
            if not self._waiting:
                break
            if answer.fault is None:
                accepted += answer.accepted
                continue
            suspects += 1
            if answer.waiting and suspects <= SUSPECT_SHARE * accepted:
                found.append(answer.fault)
                answer.waiting = False
                self._waiting -= 1
        return found

    def forget(self) -> None:
        """Start anew: what was learnt before the route was released no longer counts."""
        self._window.clear()
        self._waiting = self._suspects = self._accepted = 0

    def _remember(self, answer: "_Answer") -> None:
        self._count(answer, 1)
        self._window.append(answer)
        if len(self._window) > WINDOW:
            self._count(self._window.popleft(), -1)
        if answer.fault is not None:
            self._acquit()

    def _acquit(self) -> None:
        """Let the last suspects go if they are many in a row."""
        run: list[_Answer] = []
        for answer in reversed(self._window):
            if answer.accepted:
                return
            if answer.fault is not None:
                run.append(answer)
            if len(run) == SUSPECTS_IN_A_ROW:
                break
        else:
            return
        for answer in run:
            self._waiting -= answer.waiting
            answer.waiting = False

    def _count(self, answer: "_Answer", by: int) -> None:
        self._suspects += by * (answer.fault is not None)
        self._accepted += by * answer.accepted
        self._waiting += by * answer.waiting


@dataclass(slots=True)
class _Answer:
    """One answer in the window. A suspect one is `waiting` until its address was given up."""

    fault: TokenFault | None
    accepted: bool
    waiting: bool
