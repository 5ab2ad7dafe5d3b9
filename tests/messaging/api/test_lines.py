"""Commands of the old form, with their method inside, one after the other."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.metrics import Metrics
from kernel.operations import Operation
from messaging.api.answers import Malformed
from messaging.api.calls import Calls
from messaging.api.lines import answered


class Text(msgspec.Struct):
    text: str


async def echo(_server: Principal, given: Text) -> Text:
    if not given.text:
        raise InvalidInput("text", "is empty")
    return given


CALLS = Calls(
    [Operation("api.echo", "POST", "/api/echo", "Say it again.", Text, Text, echo)],
    metrics=Metrics(),
)
SERVER = Principal()


@pytest.mark.parametrize("between", ["", " ", "\n", "\n\n  "])
async def test_each_command_has_a_reply_on_a_line_of_its_own(between: str) -> None:
    commands = [
        '{"method":"echo","params":{"text":"a"}}',
        '{"id":7,"method":"ECHO","params":{"text":"b"}}',
        '{"method":"nowhere"}',
        '{"id":8,"method":"echo","params":{"text":""}}',
    ]

    text = await answered(CALLS, SERVER, between.join(commands).encode(), limit=4)

    assert text.decode().splitlines() == [
        '{"result":{"text":"a"}}',
        '{"id":7,"result":{"text":"b"}}',
        '{"error":{"code":104,"message":"method not found"}}',
        '{"id":8,"error":{"code":107,"message":"bad request: text: is empty"}}',
    ]


@pytest.mark.parametrize(
    "text", ["", "  ", "{", "[]", "1", '{"method":1}', '{"params":{}}', '{"method":"echo"}}', "é{"]
)
async def test_what_is_no_sequence_of_commands_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        await answered(CALLS, SERVER, text.encode(), limit=4)


async def test_too_many_commands_are_refused_as_a_whole() -> None:
    with pytest.raises(Malformed, match="more than 2"):
        await answered(CALLS, SERVER, b'{"method":"nowhere"}' * 3, limit=2)


@given(st.binary(max_size=200))
async def test_any_bytes_are_answered_or_malformed(text: bytes) -> None:
    with suppress(Malformed):
        await answered(CALLS, SERVER, text, limit=4)
