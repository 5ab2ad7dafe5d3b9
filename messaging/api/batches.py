"""Several commands of the server API in one request."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kernel.errors import InvalidInput
from kernel.identity import Principal
from messaging.api.answers import Malformed, error_of
from messaging.api.calls import Calls
from messaging.api.options import ApiOptions
from messaging.api.requests import BatchRequest
from messaging.api.results import BatchResult, Error
from messaging.protocol.codes import ErrorCode
from messaging.refusals import Declined

_AT_ONCE = 128
"""Commands of one parallel batch that are worked on at the same time, at most."""

_encoder = msgspec.json.Encoder()


class Batches:
    """Runs commands one after the other, or in parallel; one that fails does not stop others."""

    def __init__(self, calls: Calls, options: ApiOptions) -> None:
        self._calls = calls
        self._options = options

    async def batch(self, server: Principal, asked: BatchRequest) -> BatchResult:
        """A reply for each command, in their order."""
        most = self._options.batch_commands
        if len(asked.commands) > most:
            raise InvalidInput("commands", f"must be at most {most}")
        if asked.parallel:
            return BatchResult(await self._in_parallel(server, asked.commands))
        return BatchResult([await self._reply(server, each) for each in asked.commands])

    async def _in_parallel(
        self, server: Principal, commands: Sequence[Mapping[str, msgspec.Raw] | None]
    ) -> list[dict[str, msgspec.Raw]]:
        free = asyncio.Semaphore(_AT_ONCE)

        async def reply(command: Mapping[str, msgspec.Raw] | None) -> dict[str, msgspec.Raw]:
            async with free:
                return await self._reply(server, command)

        return list(await asyncio.gather(*map(reply, commands)))

    async def _reply(
        self, server: Principal, command: Mapping[str, msgspec.Raw] | None
    ) -> dict[str, msgspec.Raw]:
        if command is None:
            return _failed(error_of(InvalidInput("command", "is null")))
        method = next((each for each in self._calls.methods if each in command), None)
        if method is None:
            return _failed(error_of(Declined(ErrorCode.METHOD_NOT_FOUND)))
        try:
            result: Any = await self._calls.call(server, method, bytes(command[method]))
        except Malformed as error:
            return _failed(error_of(error))
        if isinstance(result, Error):
            return _failed(result)
        return {method: msgspec.Raw(_encoder.encode(result))}


def _failed(error: Error) -> dict[str, msgspec.Raw]:
    return {"error": msgspec.Raw(_encoder.encode(error))}
