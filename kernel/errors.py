"""Refusals: the expected ways of saying no. Anything else that is raised is a bug."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What sort of no it is; each edge has one table from kinds to its own numbers."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    LIMITED = "limited"
    UNAVAILABLE = "unavailable"


class Refusal(Exception):
    """An expected no: a kind for edges, a code for programs, a sentence for people.

    Subclasses set `kind` and `code`; a code never changes once released. `details` goes to
    the caller as it is, so it must hold JSON values and no secret.
    """

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "invalid"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, object] = details


class InvalidInput(Refusal):
    """A value breaks a rule; `field` names it as the caller wrote it."""

    kind = Kind.INVALID
    code = "invalid_input"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", field=field, rule=rule)


class Unauthenticated(Refusal):
    """The request does not prove who makes it."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"


class TokenExpired(Unauthenticated):
    """The proof was good once; a fresh one will do."""

    code = "token_expired"


class Denied(Refusal):
    """Known, but not allowed."""

    kind = Kind.DENIED
    code = "permission_denied"


class RateLimited(Refusal):
    """Too much, too soon; `retry_after` is in seconds."""

    kind = Kind.LIMITED
    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, retry_after=round(retry_after, 3))
        self.retry_after = retry_after


class Unavailable(Refusal):
    """Cannot be done at the moment; trying again later may work.

    `reason` is for operators: commands print it, callers never see it.
    """

    kind = Kind.UNAVAILABLE
    code = "unavailable"

    def __init__(self, message: str, *, reason: str = "", **details: object) -> None:
        super().__init__(message, **details)
        self.reason = reason
