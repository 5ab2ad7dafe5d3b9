"""What push services' answers mean (RFC 8030). Pure: status and headers in, an outcome out."""

from collections.abc import Mapping
from datetime import datetime

from notifications.adapters.retry_after import retry_after
from notifications.types import Outcome, ThrottleScope, Verdict

_FIRST_WAIT = 10.0
_QUOTA_WAIT = 60.0

_VERDICTS = {
    # A subscription is bound to the key it was made with: another key looks the same from here
    # as a subscription of somebody else's, so nobody is disabled for it without a second look.
    401: Verdict.TOKEN_SUSPECT,
    403: Verdict.TOKEN_SUSPECT,
    404: Verdict.TOKEN_GONE,
    408: Verdict.FAILED,
    410: Verdict.TOKEN_GONE,
    429: Verdict.THROTTLED,
}


def outcome_of(status: int, headers: Mapping[str, str], *, now: datetime) -> Outcome:
    """Every answer that RFC 8030 and 8292 know, and by its class what a service may invent.

    A service that wants to hear less speaks for this one subscription: behind other endpoints
    are other services, and no stranger's server may slow them down.
    """
    if 200 <= status < 300:
        return Outcome(Verdict.ACCEPTED, provider_id=headers.get("location", "")[:255])
    verdict = _VERDICTS.get(status) or (Verdict.FAILED if status >= 500 else Verdict.REJECTED)
    reason = f"HTTP {status}"
    waited = retry_after(headers.get("retry-after"), now=now)
    if verdict is Verdict.THROTTLED:
        wait = _QUOTA_WAIT if waited is None else waited
        return Outcome(verdict, reason, retry_after=wait, scope=ThrottleScope.DEVICE)
    if verdict is Verdict.FAILED:
        return Outcome(verdict, reason, retry_after=_FIRST_WAIT if waited is None else waited)
    return Outcome(verdict, reason)
