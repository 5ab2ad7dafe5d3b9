"""Operations as they are called over a connection: by name, with a JSON object."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from kernel.identity import Principal
from kernel.operations import AnyOperation, invalid_input
from messaging.protocol.codes import ErrorCode
from messaging.protocol.requests import RPCRequest
from messaging.protocol.results import RPCResult
from messaging.publications import one_line
from messaging.refusals import Declined


class Procedures:
    """Those that one kind of caller may call; others are not known to it."""

    def __init__(self, operations: Iterable[AnyOperation]) -> None:
        self._operations: Mapping[str, AnyOperation] = {
            name: each for each in operations for name in (each.name, *each.also_called)
        }
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            name: msgspec.json.Decoder(each.takes) for name, each in self._operations.items()
        }
        self._encoder = msgspec.json.Encoder()
        self.instant = frozenset(name for name, each in self._operations.items() if each.instant)
        """The methods that are answered without waiting."""

    def overlaps(self, method: str) -> bool:
        """Whether calls of it keep their order by themselves."""
        operation = self._operations.get(method)
        return operation is not None and operation.pipelined

    async def call(self, principal: Principal, request: RPCRequest) -> RPCResult:
        """Call one for a principal. Raises `Declined` for an unknown one, and refusals."""
        operation = self._operations.get(request.method)
        if operation is None:
            raise Declined(ErrorCode.METHOD_NOT_FOUND)
        if operation.scope is not None:
            principal.require(operation.scope)
        try:
            asked = self._decoders[request.method].decode(request.data or b"{}")
        except msgspec.ValidationError as error:
            raise invalid_input(error) from None
        given = await operation.run(principal, asked)
        return RPCResult(one_line(self._encoder.encode(given)))
