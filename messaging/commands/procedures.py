"""Operations as they are called over a connection: by name, with a JSON object."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from kernel.identity import Principal
from kernel.operations import AnyOperation, invalid_input
from messaging.protocol.codes import ErrorCode
from messaging.protocol.requests import RPCRequest
from messaging.protocol.results import RPCResult
from messaging.refusals import Declined


class Procedures:
    """Those that one kind of caller may call; others are not known to it."""

    def __init__(self, operations: Iterable[AnyOperation]) -> None:
        self._operations: Mapping[str, tuple[AnyOperation, msgspec.json.Decoder[Any]]] = {
            name: (each, msgspec.json.Decoder(each.takes))
            for each in operations
            for name in (each.name, *each.also_called)
        }
        self._encode = msgspec.json.Encoder().encode
        self.never_wait = frozenset(
            name for name, (each, _) in self._operations.items() if each.at_once
        )
        """The methods that `call_at_once` calls."""

    def overlaps(self, method: str) -> bool:
        """Whether calls of it keep their order by themselves."""
        found = self._operations.get(method)
        return found is not None and found[0].pipelined

    async def call(self, principal: Principal, request: RPCRequest) -> RPCResult:
        """Call one for a principal. Raises `Declined` for an unknown one, and refusals."""
        operation, asked = self._asked(principal, request)
        return RPCResult(self._encode(await operation.run(principal, asked)))

    def call_at_once(self, principal: Principal, request: RPCRequest) -> RPCResult:
        """The same for one that never waits."""
        operation, asked = self._asked(principal, request)
        assert operation.at_once is not None, f"{operation.name} may wait"
        return RPCResult(self._encode(operation.at_once(principal, asked)))

    def _asked(self, principal: Principal, request: RPCRequest) -> tuple[AnyOperation, Any]:
        found = self._operations.get(request.method)
        if found is None:
            raise Declined(ErrorCode.METHOD_NOT_FOUND)
        operation, decoder = found
        if operation.scope is not None:
            principal.require(operation.scope)
        try:
            return operation, decoder.decode(request.data or b"{}")
        except msgspec.ValidationError as error:
            raise invalid_input(error, operation.takes) from None
