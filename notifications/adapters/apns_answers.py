"""What APNs' answers mean. Pure: status and reason in, an outcome out."""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from notifications.adapters import http2_exchange as http2
from notifications.adapters.retry_after import retry_after
from notifications.types import Outcome, ThrottleScope, Verdict

_LATER = 15 * 60.0
"""Seconds before a 5xx may be tried again, by Apple's rules."""
_DEVICE_WAIT = 60.0
_TOKEN_WAIT = 20 * 60.0

_VERDICTS = {
    "BadDeviceToken": Verdict.TOKEN_SUSPECT,
    "DeviceTokenNotForTopic": Verdict.TOKEN_SUSPECT,
    "TopicDisallowed": Verdict.MISCONFIGURED,
    "IdleTimeout": Verdict.NOT_SENT,
    "ExpiredProviderToken": Verdict.NOT_SENT,
    "UnrelatedKeyIdInToken": Verdict.NOT_SENT,
    "TooManyProviderTokenUpdates": Verdict.THROTTLED,
}
"""Reasons that mean something else than their HTTP status would."""

_BY_STATUS = {
    403: Verdict.MISCONFIGURED,
    410: Verdict.TOKEN_GONE,
    429: Verdict.THROTTLED,
}

ENDS_CONNECTION = frozenset(
    {"IdleTimeout", "Shutdown", "UnrelatedKeyIdInToken", "TooManyProviderTokenUpdates"}
)
"""Reasons after which no further push goes over the connection they came on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of APNs, complete. `timestamp` is in milliseconds."""

    status: int
    reason: str = ""
    apns_id: str = ""
    timestamp: int | None = None
    retry_after: str = ""


def read_answer(answer: http2.Answer, *, apns_id: str) -> Answer:
    """A complete answer; a body that is not what APNs promises leaves the reason empty."""
    reason, timestamp = "", None
    if answer.body:
        try:
            content = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            content = None
        if isinstance(content, dict):
            said, since = content.get("reason"), content.get("timestamp")
            reason = said if isinstance(said, str) else ""
            timestamp = since if isinstance(since, int) else None
    return Answer(
        status=answer.status,
        reason=reason,
        apns_id=answer.headers.get("apns-id") or apns_id,
        timestamp=timestamp,
        retry_after=answer.headers.get("retry-after", ""),
    )


def outcome_of(answer: Answer, *, now: datetime) -> Outcome:
    """Every reason that APNs documents, and by status what it may invent."""
    status, reason = answer.status, answer.reason or f"HTTP {answer.status}"
    if status == 200:
        return Outcome(Verdict.ACCEPTED, provider_id=answer.apns_id)
    verdict = _VERDICTS.get(reason) or _BY_STATUS.get(status)
    if verdict is None:
        verdict = Verdict.FAILED if status >= 500 else Verdict.REJECTED
    wait = retry_after(answer.retry_after or None, now=now)
    match verdict:
        case Verdict.TOKEN_GONE:
            return Outcome(verdict, reason, invalid_since=_instant(answer.timestamp))
        case Verdict.THROTTLED if reason == "TooManyProviderTokenUpdates":
            scope = ThrottleScope.CREDENTIAL
            return Outcome(verdict, reason, retry_after=max(wait or 0.0, _TOKEN_WAIT), scope=scope)
        case Verdict.THROTTLED:
            scope = ThrottleScope.DEVICE
            return Outcome(verdict, reason, retry_after=wait or _DEVICE_WAIT, scope=scope)
        case Verdict.FAILED:
            return Outcome(verdict, reason, retry_after=max(wait or 0.0, _LATER))
    return Outcome(verdict, reason, misplaced=reason == "BadDeviceToken")


def _instant(timestamp: int | None) -> datetime | None:
    if timestamp is None:
        return None
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
