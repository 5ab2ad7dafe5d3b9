"""What becomes of a push after an attempt. Pure but for the dice it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kernel.notices import Urgency
from notifications.pushes import HeldPush, PushState, Settlement
from notifications.types import UNSENT, Attempt, Outcome, Route, Verdict

Dice = Callable[[float, float], float]
"""Draws evenly between two numbers: `random.uniform`, or a fixed choice in tests."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a provider wants to be left alone, in seconds."""

    failed_floor: float
    """After a failure of the provider itself, at least this."""
    failed_first: float
    """The longest first wait after such a failure; it doubles with each further one."""
    throttled: float
    """After "too much", when the provider did not say for how long."""
    cap: float = 900.0
    """No wait of our own choosing is longer."""


_APNS = Waits(failed_floor=900.0, failed_first=900.0, throttled=60.0, cap=960.0)

WAITS: Mapping[Route, Waits] = {
    # "Scale FCM": first retry after 10 s or more, 60 s after a 429 without Retry-After.
    Route.FCM: Waits(failed_floor=10.0, failed_first=20.0, throttled=60.0),
    # Apple: a 5xx may be repeated after 15 minutes.
    Route.APNS: _APNS,
    Route.APNS_SANDBOX: _APNS,
    # RFC 8030 names no waits but Retry-After; Mozilla and Google ask for a growing one.
    Route.WEBPUSH: Waits(failed_floor=10.0, failed_first=20.0, throttled=60.0),
}

DOUBTFUL_WAIT = (10.0, 20.0)
"""Before the one repeat of a push that may or may not have arrived, in seconds."""

ELSEWHERE = "try_the_other_environment"
"""How the reason begins of a push that is tried again in APNs' other environment, once."""

LEASE_ENDED = "lease_ended"
"""The reason of an attempt whose dispatcher never told what came of it."""

UNSENT_AT_ONCE = 2
"""So often a push that never left is tried again without waiting."""

LONGEST_WAIT = 2 * 86_400.0
"""However long a provider wants to be left alone: no push lives to see the end of this."""

MISCONFIGURED_WAIT = 60.0
"""A push that met wrong credentials waits this long; the route itself is held meanwhile."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a class of pushes is worth trying."""

    within: timedelta
    """From the first attempt on."""
    tries: int | None
    """Attempts that reached the provider, or may have; None for any number."""
    repeats_doubtful: bool
    """Whether a push that may have arrived is sent again, to replace itself."""


PATIENCE: Mapping[Urgency, Patience] = {
    Urgency.INTERACTIVE: Patience(timedelta(minutes=10), tries=3, repeats_doubtful=True),
    Urgency.TRANSACTIONAL: Patience(timedelta(minutes=60), tries=None, repeats_doubtful=True),
    Urgency.MARKETING: Patience(timedelta(minutes=60), tries=None, repeats_doubtful=False),
}

_FINAL: Mapping[Verdict, PushState] = {
    Verdict.ACCEPTED: PushState.ACCEPTED,
    Verdict.REJECTED: PushState.REJECTED,
    Verdict.TOKEN_GONE: PushState.REJECTED,
    Verdict.TOKEN_SUSPECT: PushState.REJECTED,
}


def settlement_of(push: HeldPush, outcome: Outcome, *, now: datetime, dice: Dice) -> Settlement:
    """What `outcome` means for `push`.

    A final answer is recorded as it is, however late. Otherwise the push is due again after
    the wait its provider wants, unless its class has run out of patience (`dead`), it would
    no longer matter by then (`expired`), or it might be shown twice (`ambiguous`).
    """
    if push.elsewhere is None and _may_be_elsewhere(push, outcome):
        reason = f"{ELSEWHERE}: {outcome.reason}"
        return Settlement(push, replace(outcome, reason=reason), PushState.RETRY, now)
    if push.elsewhere is not None and outcome.verdict is Verdict.MISCONFIGURED:
        # What has no key for the other environment cannot find the device there.
        return Settlement(push, outcome, PushState.REJECTED)
    final = _FINAL.get(outcome.verdict)
    if final is not None:
        return Settlement(push, outcome, final)
    if outcome.verdict is Verdict.AMBIGUOUS and not _repeats(push, outcome):
        return Settlement(push, outcome, PushState.AMBIGUOUS)
    # What may be on a device already must not become "expired" or "dead" for want of time.
    doubtful = outcome.verdict is Verdict.AMBIGUOUS or push.ambiguous > 0
    due_at = now + timedelta(seconds=_wait(push, outcome, dice))
    if due_at >= push.expires_at:
        return Settlement(push, outcome, PushState.AMBIGUOUS if doubtful else PushState.EXPIRED)
    if outcome.verdict is not Verdict.MISCONFIGURED and _exhausted(push, outcome, due_at):
        return Settlement(push, outcome, PushState.AMBIGUOUS if doubtful else PushState.DEAD)
    return Settlement(push, outcome, PushState.RETRY, due_at)


def _may_be_elsewhere(push: HeldPush, outcome: Outcome) -> bool:
    """Whether the other environment is worth one try: a phone that no push ever reached may be
    in it. It was not sent to."""
    untold = push.accepted_at is None and push.number - push.unsent <= 1
    return outcome.misplaced and outcome.verdict is Verdict.TOKEN_SUSPECT and untold


def told_of(attempt: Attempt, outcome: Outcome) -> Outcome:
    """What an answer says of the device: nothing, when the address was a live activity's own."""
    if not attempt.content.live_activity_token or outcome.verdict not in _ADDRESS_FAULTS:
        return outcome
    return replace(outcome, verdict=Verdict.REJECTED, invalid_since=None)


_ADDRESS_FAULTS = frozenset({Verdict.TOKEN_GONE, Verdict.TOKEN_SUSPECT})


def _repeats(push: HeldPush, outcome: Outcome) -> bool:
    """Whether a push that may have arrived is sent again.

    Once, after a provider's silence. When it was we who died, the provider may never have heard
    of it, however often that happens: what the user waits for is not lost with us.
    """
    if not PATIENCE[push.urgency].repeats_doubtful:
        return False
    return push.ambiguous == 0 or outcome.reason == LEASE_ENDED


def _exhausted(push: HeldPush, outcome: Outcome, due_at: datetime) -> bool:
    patience = PATIENCE[push.urgency]
    if due_at - push.first_tried_at > patience.within:
        return True
    if outcome.reason == LEASE_ENDED:
        return False
    tries = push.number - push.unsent - (outcome.verdict in UNSENT)
    return any(most is not None and tries >= most for most in (patience.tries, outcome.tries))


def _wait(push: HeldPush, outcome: Outcome, dice: Dice) -> float:
    """Seconds until the next attempt."""
    waits = WAITS[push.route]
    before = max(0, push.number - 1 - push.unsent)
    match outcome.verdict:
        case Verdict.NOT_SENT if push.unsent < UNSENT_AT_ONCE:
            wait = 0.0
        case Verdict.NOT_SENT:
            wait = dice(1.0, _doubled(2.0, push.unsent - UNSENT_AT_ONCE, cap=waits.cap))
        case Verdict.AMBIGUOUS:
            wait = dice(*DOUBTFUL_WAIT)
        case Verdict.MISCONFIGURED:
            wait = MISCONFIGURED_WAIT
        case Verdict.THROTTLED if outcome.retry_after is None:
            wait = _doubled(waits.throttled, before, cap=waits.cap)
        case Verdict.THROTTLED:
            # A provider that says "in 0 seconds" again and again is not asked in a loop.
            wait = _doubled(1.0, before, cap=waits.cap)
        case _:
            longest = _doubled(waits.failed_first, before, cap=waits.cap)
            wait = dice(waits.failed_floor, max(waits.failed_floor, longest))
    return max(wait, min(outcome.retry_after or 0.0, LONGEST_WAIT))


def _doubled(first: float, times: int, *, cap: float) -> float:
    return min(cap, first * 2.0 ** min(times, 32))
