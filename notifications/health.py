"""When to leave a provider alone, because it fails. Pure."""

from collections import deque
from dataclasses import dataclass

from kernel.notices import Urgency
from notifications.types import Verdict

SAMPLES = 20
"""So many answers are needed to judge a provider."""
WINDOW = 30.0
"""Seconds that are looked back on."""
SHARE = 0.5
"""From this share of failures on, it is left alone."""
FIRST_REST = 30.0
LONGEST_REST = 300.0
PROBES = 3
"""So many pushes find out whether it works again; all of them must."""
CHAT_FIRST = 5.0
"""Seconds in which only interactive pushes are probes: they matter most, and there may be none."""
PROBE_WITHIN = 60.0
"""Seconds after which a probe without an answer counts as lost, and another may go."""

_FAILING = frozenset({Verdict.FAILED, Verdict.AMBIGUOUS})
"""Its own failures, and silence. A push that never left says nothing about its health."""


class Health:
    """Rests while a provider fails, twice as long each time, and then tries it with three pushes.

    All instants are monotonic seconds.
    """

    def __init__(self) -> None:
        self._seconds: deque[_Second] = deque()
        self._rest = FIRST_REST
        self._resting_until: float | None = None
        self._probes = 0
        self._passed = 0
        self._probed_at = 0.0

    @property
    def is_resting(self) -> bool:
        """Whether it is left alone, or only being tried."""
        return self._resting_until is not None

    def allow(self, wanted: int, *, urgency: Urgency, now: float) -> int:
        """How many of `wanted` pushes may go: all of them, none, or what is left of the probes."""
        if self._resting_until is None:
            return wanted
        first = self._resting_until
        if urgency is not Urgency.INTERACTIVE:
            first += CHAT_FIRST
        if now < first:
            return 0
        if now - self._probed_at >= PROBE_WITHIN:
            self._probes = self._passed
        allowed = min(wanted, PROBES - self._probes)
        if allowed:
            self._probes += allowed
            self._probed_at = now
        return allowed

    def give_back(self, unused: int) -> None:
        """Probes that found nothing to send; another lane may."""
        self._probes = max(0, self._probes - unused)

    def record(self, verdict: Verdict, *, now: float) -> None:
        """Learn from an answer; it may begin a rest, or end one."""
        failed = verdict in _FAILING
        if self._resting_until is not None:
            if now >= self._resting_until:
                self._probed(failed or verdict is Verdict.NOT_SENT, now)
            return  # What was under way when the rest began teaches nothing new.
        if verdict is Verdict.NOT_SENT:
            return
        if not self._seconds or self._seconds[-1].number != int(now):
            self._seconds.append(_Second(int(now)))
            while self._seconds[0].number <= now - WINDOW:
                self._seconds.popleft()
        self._seconds[-1].answers += 1
        self._seconds[-1].failures += failed
        if failed and self._fails():
            self._begin(FIRST_REST, now)

    def _fails(self) -> bool:
        answers = sum(each.answers for each in self._seconds)
        failures = sum(each.failures for each in self._seconds)
        return answers >= SAMPLES and failures >= SHARE * answers

    def _probed(self, failed: bool, now: float) -> None:
        if failed:
            self._begin(min(2 * self._rest, LONGEST_REST), now)
            return
        self._passed += 1
        if self._passed == PROBES:
            self._resting_until = None

    def _begin(self, rest: float, now: float) -> None:
        self._rest = rest
        self._resting_until = now + rest
        self._seconds.clear()
        self._probes = self._passed = 0


@dataclass(slots=True)
class _Second:
    """What was answered within one second."""

    number: int
    answers: int = 0
    failures: int = 0
