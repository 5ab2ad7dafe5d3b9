"""What may pass on a route now, and what its answers teach. Pure."""

from collections.abc import Sequence

from kernel.notices import Urgency
from notifications.breaker import Breaker, Hold, SuspectGuard
from notifications.health import Health
from notifications.policy import WAITS
from notifications.pushes import HeldPush
from notifications.throttle import Throttle
from notifications.types import Outcome, Route, ThrottleScope, TokenFault, Verdict

LONGEST_PAUSE = 3600.0
"""Seconds; a provider that asked for more is asked again after these, at a lower rate."""


class Gate:
    """The throttle, breakers and guard of one route, shared by its lanes.

    All instants are monotonic seconds.
    """

    def __init__(
        self, route: Route, *, per_second: float, probe_every: float, ramp: float = 0.0
    ) -> None:
        self._route = route
        self._throttle = Throttle(per_second=per_second, ramp=ramp)
        self._breaker = Breaker(probe_every=probe_every)
        self._health = Health()
        self._guard = SuspectGuard()

    @property
    def hold(self) -> Hold | None:
        """Why the route is held, if it is."""
        if self._breaker.hold is None and self._health.is_resting:
            return Hold.FAILING
        return self._breaker.hold

    @property
    def rate(self) -> float:
        """Pushes a second that the provider's complaints leave."""
        return self._throttle.rate

    def renew(self) -> None:
        """Other credentials: nothing that was learnt of the earlier ones holds the route."""
        self._breaker.release()
        self._guard.forget()

    def allow(self, wanted: int, *, urgency: Urgency, now: float) -> int:
        """How many of `wanted` pushes may be sent now."""
        allowed = self._throttle.allow(wanted, urgency=urgency, now=now)
        passed = self._breaker.allow(allowed, now=now)
        well = self._health.allow(passed, urgency=urgency, now=now)
        if passed > well:
            self._breaker.give_back(now=now)
        self._throttle.give_back(allowed - well)
        return well

    def again_in(self, *, now: float) -> float | None:
        """When `allow` gave nothing: seconds until it may give something. None: look now and
        then, as for new pushes.
        """
        return None if self.hold else self._throttle.again_in(now=now)

    def give_back(self, unused: int, *, now: float) -> None:
        """Return what was allowed and not used."""
        self._throttle.give_back(unused)
        self._health.give_back(unused)
        if self._breaker.hold is not None and unused:
            self._breaker.give_back(now=now)

    def learn(self, push: HeldPush, outcome: Outcome, *, now: float) -> Sequence[TokenFault]:
        """Take an answer into account; the addresses that are at fault beyond doubt."""
        pause = self.pause_for(outcome)
        if pause is not None:
            self._throttle.complained(retry_after=pause, now=now)
        self._health.record(outcome.verdict, now=now)
        held = self._breaker.hold
        self._breaker.record(outcome.verdict, now=now)
        if held is not None and self._breaker.hold is None:
            self._guard.forget()
        fault = _fault(push, outcome)
        if outcome.verdict is Verdict.TOKEN_GONE and fault is not None:
            self._guard.record(outcome.verdict, None)
            return (fault,)
        self._guard.record(outcome.verdict, fault)
        if self._breaker.hold is None and self._guard.alarmed:
            self._breaker.open(Hold.SUSPECT_TOKENS, now=now)
        return self._guard.trusted() if self._breaker.hold is None else ()

    def pause_for(self, outcome: Outcome) -> float | None:
        """Seconds for which the provider wants to hear nothing of this credential, if it does."""
        if (
            outcome.verdict is not Verdict.THROTTLED
            or outcome.scope is not ThrottleScope.CREDENTIAL
        ):
            return None
        if outcome.retry_after is None:
            return WAITS[self._route].throttled
        return min(outcome.retry_after, LONGEST_PAUSE)


def _fault(push: HeldPush, outcome: Outcome) -> TokenFault | None:
    if outcome.verdict not in (Verdict.TOKEN_GONE, Verdict.TOKEN_SUSPECT):
        return None
    return TokenFault(push.device_id, push.generation, outcome.reason, outcome.invalid_since)
