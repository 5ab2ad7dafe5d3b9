"""What FCM's answers mean. Pure: status, headers and body in, an outcome out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from notifications.adapters.retry_after import retry_after
from notifications.types import Outcome, ThrottleScope, Verdict

_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_FIRST_WAIT = 10.0
"""Seconds before the first repeat, by Google's rules."""
_QUOTA_WAIT = 60.0
_ADDRESS_FIELDS = frozenset({"message.token", "message.fid"})
_NO_ADDRESS = "not a valid FCM registration token"

STALE_BEARER = frozenset({"ACCESS_TOKEN_EXPIRED", "UNAUTHENTICATED"})
"""Reasons for which a fresh bearer may help."""

_BY_CODE = {
    "UNREGISTERED": Verdict.TOKEN_GONE,
    "SENDER_ID_MISMATCH": Verdict.TOKEN_SUSPECT,
    "THIRD_PARTY_AUTH_ERROR": Verdict.MISCONFIGURED,
    "APNS_AUTH_ERROR": Verdict.MISCONFIGURED,
    "INVALID_ARGUMENT": Verdict.REJECTED,
    "QUOTA_EXCEEDED": Verdict.THROTTLED,
    "UNAVAILABLE": Verdict.FAILED,
    "INTERNAL": Verdict.FAILED,
    "UNSPECIFIED_ERROR": Verdict.FAILED,
}
"""Verdicts by FcmError's code, the only word that speaks of the device."""

_TRIES = {"UNSPECIFIED_ERROR": 2}
"""What is worth another try and no more: FCM does not know itself what it means."""

_BY_STATUS = {
    400: Verdict.REJECTED,
    401: Verdict.MISCONFIGURED,
    403: Verdict.MISCONFIGURED,
    404: Verdict.MISCONFIGURED,
    408: Verdict.FAILED,
    429: Verdict.THROTTLED,
}
"""Verdicts where FcmError is missing: then the fault is ours, never the device's."""


def outcome_of(status: int, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Outcome:
    """Read an answer in the order FcmError, BadRequest, ErrorInfo, status word, HTTP status."""
    content = _json(body)
    if status == 200:
        return Outcome(Verdict.ACCEPTED, provider_id=_text(content.get("name")))
    error = content.get("error")
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    details = (
        [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    )
    code = _code(details)
    if code == "INVALID_ARGUMENT" or (not code and status == 400):
        verdict = Verdict.TOKEN_SUSPECT if _blames_address(error, details) else Verdict.REJECTED
    elif code in _BY_CODE:
        verdict = _BY_CODE[code]
    else:
        verdict = _BY_STATUS.get(status) or (Verdict.FAILED if status >= 500 else Verdict.REJECTED)
    reason = code or _info(details) or _text(error.get("status")) or f"HTTP {status}"
    waited = retry_after(headers.get("retry-after"), now=now)
    if verdict is Verdict.THROTTLED:
        scope = ThrottleScope.DEVICE if _blames_device(details) else ThrottleScope.CREDENTIAL
        wait = _QUOTA_WAIT if waited is None else waited
        return Outcome(verdict, reason, retry_after=wait, scope=scope)
    if verdict is Verdict.FAILED:
        wait = _FIRST_WAIT if waited is None else waited
        return Outcome(verdict, reason, retry_after=wait, tries=_TRIES.get(code))
    return Outcome(verdict, reason)


def _json(body: bytes) -> dict[str, Any]:
    """The body's object; empty for what is none, such as the front end's HTML."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _code(details: list[dict[str, Any]]) -> str:
    for detail in details:
        if detail.get("@type") == _FCM_ERROR:
            return _text(detail.get("errorCode"))
    return ""


def _info(details: list[dict[str, Any]]) -> str:
    for detail in details:
        if reason := _text(detail.get("reason")):
            return reason
    return ""


def _blames_address(error: dict[str, Any], details: list[dict[str, Any]]) -> bool:
    for detail in details:
        violations = detail.get("fieldViolations")
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and violation.get("field") in _ADDRESS_FIELDS:
                return True
    return _NO_ADDRESS in _text(error.get("message"))


def _blames_device(details: list[dict[str, Any]]) -> bool:
    for detail in details:
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and "device" in _text(violation.get("subject")).lower():
                return True
    return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
