"""Operations: what can be asked of a room, declared once for HTTP, RPC and the documentation.

A room's `routes.py` lists its operations; `server/app.py` serves them over HTTP and writes
the OpenAPI document from them; `messaging/commands.py` serves those with `rpc=True` to
connected clients under their name. Neither side knows the other.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from kernel.errors import InvalidInput, Refusal
from kernel.identity import Principal, Scope

I = TypeVar("I", bound=msgspec.Struct)  # noqa: E741
O = TypeVar("O")  # noqa: E741


class Nothing(msgspec.Struct, frozen=True):
    """An operation takes or gives nothing."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[I, O]):
    """One thing that can be asked.

    `takes` is a struct whose fields come from the path (those named in `path`), then from the
    query string (GET, DELETE) or the JSON body (the rest); over RPC all come from the data.
    `scope` puts it on the admin gateway, for API keys; without it, it is for users. A user's
    path begins with `/v1/`, a server's with `/admin/v1/`.
    """

    name: str
    """Unique, `<nouns>.<verb>`: the RPC method and the OpenAPI operationId."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    summary: str
    takes: type[I]
    gives: type[O]
    run: Callable[[Principal, I], Awaitable[O]]
    scope: Scope | None = None
    rpc: bool = False
    status: int = 200
    refusals: tuple[type[Refusal], ...] = ()


AnyOperation = Operation[Any, Any]


def invalid_input(error: msgspec.ValidationError) -> InvalidInput:
    """Say in our words what msgspec refused: which field, and the rule it breaks."""
    rule, _, where = str(error).partition(" - at `")
    field = where.rstrip("`").removeprefix("$").lstrip(".") or "body"
    if rule.startswith("Object missing required field `"):
        missing = rule.split("`")[1]
        return InvalidInput(missing if field == "body" else f"{field}.{missing}", "is required")
    if rule.startswith("Object contains unknown field `"):
        return InvalidInput(rule.split("`")[1], "is not a known field")
    return InvalidInput(field, rule[:1].lower() + rule[1:])
