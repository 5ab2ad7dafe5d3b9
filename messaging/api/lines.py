"""Commands one after the other, each with its method's name inside, as older clients send them."""

import json
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from kernel.identity import Principal
from messaging.api.answers import Malformed, error_of
from messaging.api.calls import Calls
from messaging.api.results import Error

_json = json.JSONDecoder()
_encoder = msgspec.json.Encoder()


class _Command(Struct, frozen=True):
    method: str
    params: Raw = Raw(b"{}")
    id: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0


class _Reply(Struct, frozen=True, omit_defaults=True):
    id: int = 0
    error: Error | UnsetType = UNSET
    result: Raw | UnsetType = UNSET


_command = msgspec.json.Decoder(_Command)


async def answered(calls: Calls, server: Principal, text: bytes, *, limit: int) -> bytes:
    """A reply for each command, one on a line, in their order. Raises `Malformed`."""
    commands = list(_commands(text, limit=limit))
    if not commands:
        raise Malformed("body", "holds no command")
    return b"\n".join([await _answer(calls, server, each) for each in commands])


def _commands(text: bytes, *, limit: int) -> Iterator[_Command]:
    # What is between the commands is white space, or nothing at all: only a parser knows where
    # one of them ends.
    try:
        rest = text.decode().strip()
        for number in range(limit + 1):
            if not rest:
                return
            if number == limit:
                break
            _, end = _json.raw_decode(rest)
            yield _command.decode(rest[:end].encode())
            rest = rest[end:].lstrip()
    except (ValueError, RecursionError) as error:
        raise Malformed("body", "is no sequence of commands in JSON") from error
    raise Malformed("body", f"holds more than {limit} commands")


async def _answer(calls: Calls, server: Principal, command: _Command) -> bytes:
    try:
        result = await calls.call(server, command.method.lower(), bytes(command.params))
    except Malformed as error:
        result = error_of(error)
    if isinstance(result, Error):
        return _encoder.encode(_Reply(command.id, error=result))
    return _encoder.encode(_Reply(command.id, result=Raw(_encoder.encode(result))))
