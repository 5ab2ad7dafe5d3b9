"""How failures read in the server API: Centrifugo's numbers, with a sentence of ours behind."""

from collections.abc import Mapping
from http import HTTPStatus

from kernel.errors import InvalidInput, Kind, Refusal
from messaging.api.results import Error
from messaging.protocol.codes import ErrorCode
from messaging.refusals import Declined

CONFLICT = 113
"""The only number that clients of the protocol never see."""

_NUMBERS: Mapping[Kind, int] = {
    Kind.INVALID: ErrorCode.BAD_REQUEST,
    Kind.UNAUTHENTICATED: ErrorCode.UNAUTHORIZED,
    Kind.DENIED: ErrorCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: ErrorCode.UNKNOWN_CHANNEL,
    Kind.CONFLICT: CONFLICT,
    Kind.TOO_LARGE: ErrorCode.LIMIT_EXCEEDED,
    Kind.LIMITED: ErrorCode.TOO_MANY_REQUESTS,
    Kind.UNAVAILABLE: ErrorCode.INTERNAL,
}

_STATUS: Mapping[int, HTTPStatus] = {
    ErrorCode.UNKNOWN_CHANNEL: HTTPStatus.NOT_FOUND,
    ErrorCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    ErrorCode.METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.LIMIT_EXCEEDED: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    ErrorCode.NOT_AVAILABLE: HTTPStatus.BAD_REQUEST,
    ErrorCode.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.UNRECOVERABLE_POSITION: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    CONFLICT: HTTPStatus.CONFLICT,
}


class Malformed(InvalidInput):
    """What came is no JSON, or not an object: there is no command in it to answer."""


def error_of(failure: Refusal | Declined) -> Error:
    """The error that a failed command is answered with."""
    if isinstance(failure, Declined):
        return _error(failure.code, str(failure))
    return _error(_NUMBERS[failure.kind], failure.message)


def status_of(error: Error) -> int:
    """The HTTP status of an error, for callers who want one instead of 200."""
    return _STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)


def _error(number: int, sentence: str) -> Error:
    meaning = next((each.message for each in ErrorCode if each == number), "conflict")
    return Error(int(number), meaning if sentence == meaning else f"{meaning}: {sentence}")
