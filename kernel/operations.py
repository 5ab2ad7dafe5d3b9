"""Operations: what can be asked of a room, declared once for HTTP, RPC and the documentation.

A room's `routes.py` lists its operations; `server/app.py` serves them over HTTP and writes
the OpenAPI document from them; `messaging/commands/` serves those that are offered `by_rpc` to
connected clients under their name. Neither side knows the other.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import msgspec

from kernel.allowed import example_at, values_allowed
from kernel.errors import InvalidInput, Refusal
from kernel.identity import Principal, Scope

I = TypeVar("I", bound=msgspec.Struct)  # noqa: E741
O = TypeVar("O")  # noqa: E741


class Nothing(msgspec.Struct, frozen=True):
    """An operation takes or gives nothing."""


@dataclass(frozen=True, slots=True)
class Document:
    """An answer that is a text of its own, not JSON.

    `version` names what it says at present. `write` makes it, and is called only for whoever
    does not have that version yet.
    """

    version: str
    write: Callable[[], Awaitable[bytes]]


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
    """Whether users may call it over a connection; what servers may ask is in `by_rpc`."""

    pipelined: bool = False
    """Over RPC, one connection's calls are begun in order but need not wait for each other.

    Only for an operation that takes its place in a queue before it first waits.
    """

    open: bool = False
    """Anybody may ask, and who asks is not looked at: what is taken proves enough by itself."""

    at_once: Callable[[Principal, I], O] | None = None
    """What `run` does, if it never waits: over RPC it is answered in the very turn it was asked in.
    """

    streams: bool = False
    """`run` gives an asynchronous iterator: over HTTP each of its values, as `gives` describes
    it, is a line of JSON that leaves when it comes."""

    document: str = ""
    """`run` gives a `Document` of this media type: over HTTP it may be asked for again with
    `If-None-Match`, and a caller keeps it for itself only."""

    upload: tuple[str, str] | None = None
    """A body of this media type is the text of this field; the others come from the query."""

    also_called: tuple[str, ...] = ()
    """Other names over RPC, by which clients of other servers know it."""

    page: Callable[[O, Sequence[str]], str] | None = None
    """A GET of the admin gateway that a browser may ask as well, or what anybody may ask: what is
    given, as a page in HTML for who reads these languages, the preferred one first. A browser
    shows an API key as the password of `Authorization: Basic`."""

    refused_pages: Mapping[type[Refusal], Callable[[Sequence[str]], str]] = field(
        default_factory=dict
    )
    """The same for refusals that a browser is not to see as JSON."""

    script: str = ""
    """The one script on its page, to the letter. It may ask the page's own origin."""

    by_page: bool = False
    """A page of ours asks it, with the password that the browser shows by itself; a page of any
    other origin may not."""

    status: int = 200
    refusals: tuple[type[Refusal], ...] = ()

    @property
    def by_rpc(self) -> bool:
        """Whether it can be called over a connection: for servers, whatever has one answer."""
        if self.scope is None:
            return self.rpc
        return not (self.streams or self.document)


AnyOperation = Operation[Any, Any]


def awaited(at_once: Callable[[Principal, I], O]) -> Callable[[Principal, I], Awaitable[O]]:
    """`run` of an operation that never waits."""

    async def run(principal: Principal, asked: I) -> O:
        return at_once(principal, asked)

    return run


def invalid_input(error: msgspec.ValidationError, of: Any) -> InvalidInput:
    """Say in our words what msgspec refused of a type: which field, and the rule it breaks."""
    # The place is `$.path.to.it`, or "`key` in `$.path`" for the key of a mapping.
    rule, _, where = str(error).partition(" - at `")
    keys = where.startswith("key`")
    path = where.rpartition("$")[2].rstrip("`").lstrip(".")
    for beginning, meaning in _ABOUT_FIELDS.items():
        if rule.startswith(beginning):
            name = rule.removeprefix(beginning).rstrip("`")
            return InvalidInput(f"{path}.{name}" if path else name, meaning)
    if rule.startswith(("Invalid enum value ", "Invalid value ")) and (
        allowed := values_allowed(of, path, keys=keys)
    ):
        return InvalidInput(path or "body", f"must be one of {', '.join(allowed)}")
    if " matching regex " in rule and (example := example_at(of, path, keys=keys)):
        rule += f", such as {example}"
    return InvalidInput(path or "body", rule[:1].lower() + rule[1:])


_ABOUT_FIELDS = {
    "Object missing required field `": "is required",
    "Object contains unknown field `": "is not a known field",
}
