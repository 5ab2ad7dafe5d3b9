"""What may pass on a route now, and what its answers teach. Pure."""

from collections.abc import Sequence

from kernel.notices import Urgency
from notifications.breaker import Breaker, Hold, SuspectGuard
from notifications.policy import WAITS
from notifications.pushes import HeldPush
from notifications.throttle import Throttle
from notifications.types import Outcome, Route, ThrottleScope, TokenFault, Verdict

LONGEST_PAUSE = 3600.0
"""Seconds; a provider that asked for more is asked again after these, at a lower rate."""


class Gate:
    """The throttle, breaker and guard of one route, shared by its lanes.

    All instants are monotonic seconds.
    """

    def __init__(self, route: Route, *, per_second: float, probe_every: float) -> None:
        self._route = route
        self._throttle = Throttle(per_second=per_second)
        self._breaker = Breaker(probe_every=probe_every)
        self._guard = SuspectGuard()

    @property
    def hold(self) -> Hold | None:
        """Why the route is held, if it is."""
        return self._breaker.hold

    def allow(self, wanted: int, *, urgency: Urgency, now: float) -> int:
        """How many of `wanted` pushes may be sent now."""
        allowed = self._throttle.allow(wanted, urgency=urgency, now=now)
        passed = self._breaker.allow(allowed, now=now)
        self._throttle.give_back(allowed - passed)
        return passed

    def give_back(self, unused: int, *, now: float) -> None:
        """Return what was allowed and not used."""
        self._throttle.give_back(unused)
        if self.hold is not None and unused:
            self._breaker.give_back(now=now)

    def learn(self, push: HeldPush, outcome: Outcome, *, now: float) -> Sequence[TokenFault]:
        """Take an answer into account; the addresses that are at fault beyond doubt."""
        if outcome.verdict is Verdict.THROTTLED and outcome.scope is ThrottleScope.CREDENTIAL:
            wait = outcome.retry_after
            wait = WAITS[self._route].throttled if wait is None else min(wait, LONGEST_PAUSE)
            self._throttle.complained(retry_after=wait, now=now)
        held = self.hold
        self._breaker.record(outcome.verdict, now=now)
        if held is not None and self.hold is None:
            self._guard.forget()
        fault = _fault(push, outcome)
        if outcome.verdict is Verdict.TOKEN_GONE and fault is not None:
            self._guard.record(outcome.verdict, None)
            return (fault,)
        self._guard.record(outcome.verdict, fault)
        if self.hold is None and self._guard.alarmed:
            self._breaker.open(Hold.SUSPECT_TOKENS, now=now)
        return self._guard.trusted() if self.hold is None else ()


def _fault(push: HeldPush, outcome: Outcome) -> TokenFault | None:
    if outcome.verdict not in (Verdict.TOKEN_GONE, Verdict.TOKEN_SUSPECT):
        return None
    return TokenFault(push.device_id, push.generation, outcome.reason, outcome.invalid_since)
