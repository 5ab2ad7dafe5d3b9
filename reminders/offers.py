"""One thing, offered to users and to servers."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from kernel.errors import Refusal
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Operation


def both(
    name: str,
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
    path: str,
    summary: str,
    takes: type[msgspec.Struct],
    gives: type[msgspec.Struct],
    run: Callable[[Principal, Any], Awaitable[Any]],
    refusals: tuple[type[Refusal], ...],
    *,
    takes_for: type[msgspec.Struct] | None = None,
    status: int = 200,
    upload: tuple[str, str] | None = None,
) -> list[AnyOperation]:
    """One thing, offered to users over HTTP and RPC and to servers over HTTP."""
    for_users: AnyOperation = Operation(
        name=name,
        method=method,
        path=f"/v1{path}",
        summary=summary,
        takes=takes,
        gives=gives,
        run=run,
        rpc=True,
        status=status,
        upload=upload,
        refusals=refusals,
    )
    for_servers: AnyOperation = Operation(
        name=f"{name}_for",
        method=method,
        path=f"/admin/v1{path}",
        summary=summary,
        takes=takes_for or takes,
        gives=gives,
        run=run,
        scope=Scope.REMINDERS,
        status=status,
        upload=upload,
        refusals=refusals,
    )
    return [for_users, for_servers]
