"""How failures of commands read on the wire: one table for refusals, one rule for the rest."""

from collections.abc import Mapping

from kernel.errors import Kind, Refusal
from messaging.protocol.codes import ErrorCode
from messaging.protocol.frames import Command
from messaging.protocol.requests import RPCRequest
from messaging.protocol.results import Error


class Declined(Exception):
    """A command is answered with one of the protocol's own errors."""

    def __init__(self, code: ErrorCode, message: str = "") -> None:
        super().__init__(message or code.message)
        self.code = code


PROTOCOL_CODES: Mapping[Kind, ErrorCode] = {
    Kind.INVALID: ErrorCode.BAD_REQUEST,
    Kind.UNAUTHENTICATED: ErrorCode.UNAUTHORIZED,
    Kind.DENIED: ErrorCode.PERMISSION_DENIED,
    Kind.NOT_FOUND: ErrorCode.UNKNOWN_CHANNEL,
    Kind.CONFLICT: ErrorCode.BAD_REQUEST,
    Kind.TOO_LARGE: ErrorCode.LIMIT_EXCEEDED,
    Kind.LIMITED: ErrorCode.TOO_MANY_REQUESTS,
    Kind.UNAVAILABLE: ErrorCode.INTERNAL,
}
"""How refusals of protocol commands read; clients act on these by themselves."""

RPC_CODES: Mapping[Kind, tuple[int, bool]] = {
    Kind.INVALID: (400, False),
    Kind.UNAUTHENTICATED: (401, False),
    Kind.DENIED: (403, False),
    Kind.NOT_FOUND: (404, False),
    Kind.CONFLICT: (409, False),
    Kind.TOO_LARGE: (413, False),
    Kind.LIMITED: (429, True),
    Kind.UNAVAILABLE: (503, True),
}
"""How refusals of RPCs read: a code of the application's range, and whether to try again."""


def answer_to(command: Command, error: BaseException) -> Error:
    """The error that a client is told of. What we cannot explain may work the next time."""
    if isinstance(error, Declined):
        return Error.of(error.code, str(error))
    if isinstance(error, Refusal):
        text = f"{error.code}: {error.message}"
        if isinstance(command.request, RPCRequest):
            code, temporary = RPC_CODES[error.kind]
            return Error(code, text, temporary)
        return Error.of(PROTOCOL_CODES[error.kind], text)
    return Error.of(ErrorCode.INTERNAL)
