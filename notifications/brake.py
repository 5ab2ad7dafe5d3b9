"""Whether a campaign goes wrong, from what became of its last attempts. Pure."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from notifications.campaign import CampaignOptions
from notifications.types import Outcome, Verdict

WINDOW = 1000
"""Attempts of a campaign that one dispatcher looks back on."""

LEAST = 200
"""So many are needed to speak of a share."""

_FAILED = frozenset({Verdict.REJECTED, Verdict.FAILED, Verdict.AMBIGUOUS, Verdict.MISCONFIGURED})
"""What is held against a campaign. Addresses that are gone are nobody's fault."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some attempts: how many there were, how many failed, and refusals alike."""

    seen: int = 0
    failed: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


class Brake:
    """What became of one campaign's last attempts at one dispatcher."""

    def __init__(self) -> None:
        self._window: deque[Outcome] = deque()
        self._refused: Counter[str] = Counter()
        self._failed = 0
        self._last = ""

    @property
    def tally(self) -> Tally:
        return Tally(len(self._window), self._failed, dict(self._refused))

    def record(self, outcome: Outcome) -> None:
        """Take an answer into account."""
        self._window.append(outcome)
        self._count(outcome, 1)
        if len(self._window) > WINDOW:
            self._count(self._window.popleft(), -1)
        if outcome.verdict in _FAILED:
            self._last = outcome.reason

    def why_stop(self, options: CampaignOptions, others: Iterable[Tally] = ()) -> str:
        """Why to stop, if what is known here and of `others` is enough."""
        seen, failed, refused = len(self._window), self._failed, self._refused
        for each in others:
            seen, failed = seen + each.seen, failed + each.failed
            refused = refused + Counter(each.refused)
        if refused:
            reason, alike = max(refused.items(), key=lambda item: item[1])
            if alike >= options.stop_after_refusals:
                return f"{alike} pushes were refused alike: {reason}"
        if self._failed and seen >= LEAST and failed >= options.stop_at_error_share * seen:
            return f"{failed} of the last {seen} attempts failed, the last with: {self._last}"
        return ""

    def _count(self, outcome: Outcome, by: int) -> None:
        self._failed += by * (outcome.verdict in _FAILED)
        if outcome.verdict is Verdict.REJECTED:
            self._refused[outcome.reason] += by
            if not self._refused[outcome.reason]:
                del self._refused[outcome.reason]
