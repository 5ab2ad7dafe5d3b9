"""One command of the server API: from a method's name and JSON text to a result, or an error."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kernel.errors import Refusal
from kernel.identity import Principal
from kernel.metrics import Metrics
from kernel.operations import AnyOperation, invalid_input
from messaging.api.answers import Malformed, error_of
from messaging.api.results import Error
from messaging.protocol.codes import ErrorCode
from messaging.refusals import Declined

ROOT = "/api/"
"""The operations' paths begin with it and end with the method's name."""


class Calls:
    """The methods of the server API, by name."""

    def __init__(self, operations: Iterable[AnyOperation], *, metrics: Metrics) -> None:
        self.operations = list(operations)
        self._methods = {
            each.path.removeprefix(ROOT): (each, msgspec.json.Decoder(each.takes))
            for each in self.operations
        }
        self._failed = metrics.counter(
            "messaging_api_errors_total",
            "Commands of the server API that were answered with an error, by its number.",
            ["method", "error"],
        )

    @property
    def methods(self) -> Iterable[str]:
        """The names of the methods, in the order in which they are declared."""
        return self._methods

    async def call(self, server: Principal, method: str, text: bytes) -> Any:
        """What a command gives: a result, or an `Error`. Raises `Malformed`."""
        found = self._methods.get(method)
        if found is None:
            return self._error("", Declined(ErrorCode.METHOD_NOT_FOUND))
        operation, decoder = found
        try:
            if operation.scope is not None and operation.scope not in server.scopes:
                server.require(operation.scope)
            return await operation.run(server, _decoded(decoder, text))
        except Malformed:
            raise
        except (Refusal, Declined) as failure:
            return self._error(method, failure)

    def _error(self, method: str, failure: Refusal | Declined) -> Error:
        error = error_of(failure)
        self._failed.labels(method, str(error.code)).inc()
        return error


def _decoded(decoder: "msgspec.json.Decoder[Any]", text: bytes) -> Any:
    try:
        return decoder.decode(text or b"{}")
    except msgspec.ValidationError as error:
        raise invalid_input(error, decoder.type) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("body", "is not a command in JSON") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerApi:
    """All that an edge needs to serve it."""

    commands: Calls
    batches: Calls
    lines: int
    """Commands in one request of the old form, at most."""
    key: str = field(repr=False)
    """The fixed key, if there is one."""
