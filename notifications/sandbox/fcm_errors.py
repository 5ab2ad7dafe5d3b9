"""FCM's error bodies, as they are seen in the wild."""

from typing import Any

from notifications.sandbox.http import Headers, Response, json_response

_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_QUOTA_FAILURE = "type.googleapis.com/google.rpc.QuotaFailure"

_FRONT_END = (
    "<!DOCTYPE html><html lang=en><title>Error {status}</title>"
    "<p><b>{status}.</b> <ins>That’s an error.</ins><p>The server encountered a temporary error "
    "and could not complete your request.<p>Please try again in 30 seconds."
)
_CREDENTIALS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie "
    "or other valid authentication credential."
)

_PLAIN: dict[str, tuple[int, str, str, str]] = {
    # outcome: HTTP status, google.rpc status, message, FcmError code ("" for none)
    "INVALID_PAYLOAD": (400, "INVALID_ARGUMENT", "Android message is too big", ""),
    "UNAUTHENTICATED": (401, "UNAUTHENTICATED", _CREDENTIALS, ""),
    "THIRD_PARTY_AUTH_ERROR": (
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
        "THIRD_PARTY_AUTH_ERROR",
    ),
    # How the same was said before 2020.
    "APNS_AUTH_ERROR": (401, "UNAUTHENTICATED", "Auth error from APNS", "APNS_AUTH_ERROR"),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH"),
    "PERMISSION_DENIED": (
        403,
        "PERMISSION_DENIED",
        "Permission 'cloudmessaging.messages.create' denied on resource (or it may not exist).",
        "",
    ),
    "UNREGISTERED": (404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "NOT_FOUND": (404, "NOT_FOUND", "Requested entity was not found.", ""),
    "RESOURCE_EXHAUSTED": (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted.", ""),
    "INTERNAL": (500, "INTERNAL", "Internal error encountered.", "INTERNAL"),
    "UNAVAILABLE": (
        503,
        "UNAVAILABLE",
        "The service is currently unavailable.",
        "UNAVAILABLE",
    ),
    "UNSPECIFIED_ERROR": (500, "UNKNOWN", "Unknown error.", "UNSPECIFIED_ERROR"),
}

OUTCOMES = (
    *_PLAIN,
    "INVALID_ARGUMENT",
    "ACCESS_TOKEN_EXPIRED",
    "QUOTA_EXCEEDED",
    "DEVICE_QUOTA_EXCEEDED",
    "BAD_GATEWAY",
    "GATEWAY_TIMEOUT",
)
"""Every error that can be asked for by name."""


def error(outcome: str, *, retry_after: str = "", field: str = "message.token") -> Response:
    """The answer for an error of this name; `field` is where an address at fault stands."""
    headers: Headers = (("retry-after", retry_after),) if retry_after else ()
    match outcome:
        case "BAD_GATEWAY" | "GATEWAY_TIMEOUT":
            status = 502 if outcome == "BAD_GATEWAY" else 504
            page = _FRONT_END.format(status=status).encode()
            return Response(status, page, (("content-type", "text/html"), *headers))
        case "INVALID_ARGUMENT":
            return invalid(
                "The registration token is not a valid FCM registration token",
                field=field,
            )
        case "ACCESS_TOKEN_EXPIRED":
            info: dict[str, Any] = {
                "@type": _ERROR_INFO,
                "reason": "ACCESS_TOKEN_EXPIRED",
                "domain": "googleapis.com",
                "metadata": {"service": "fcm.googleapis.com"},
            }
            return _body(401, "UNAUTHENTICATED", _CREDENTIALS, [info], headers)
        case "QUOTA_EXCEEDED" | "DEVICE_QUOTA_EXCEEDED":
            return _quota("device" if outcome.startswith("DEVICE") else "project", headers)
    status, word, message, code = _PLAIN[outcome]
    details = [{"@type": _FCM_ERROR, "errorCode": code}] if code else []
    return _body(status, word, message, details, headers)


def invalid(description: str, *, field: str) -> Response:
    """400 INVALID_ARGUMENT; a wrong address carries FcmError and BadRequest, the rest less."""
    details: list[dict[str, Any]] = []
    if field:
        details.append({"@type": _FCM_ERROR, "errorCode": "INVALID_ARGUMENT"})
        violation = {"field": field, "description": description}
        details.append({"@type": _BAD_REQUEST, "fieldViolations": [violation]})
    return _body(400, "INVALID_ARGUMENT", description, details)


def _quota(scope: str, headers: Headers) -> Response:
    description = f"Message rate of the {scope} exceeded."
    details: list[dict[str, Any]] = [
        {"@type": _FCM_ERROR, "errorCode": "QUOTA_EXCEEDED"},
        {
            "@type": _QUOTA_FAILURE,
            "violations": [{"subject": scope, "description": description}],
        },
    ]
    return _body(429, "RESOURCE_EXHAUSTED", description, details, headers)


def _body(
    status: int, word: str, message: str, details: list[dict[str, Any]], headers: Headers = ()
) -> Response:
    content: dict[str, Any] = {"code": status, "message": message, "status": word}
    if details:
        content["details"] = details
    return json_response(status, {"error": content}, *headers)
