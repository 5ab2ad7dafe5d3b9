from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from kernel.operations import invalid_input

Short = Annotated[str, msgspec.Meta(max_length=2)]


class Part(msgspec.Struct, forbid_unknown_fields=True):
    size: int


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: Short
    tags: list[Short] = []
    counts: dict[Short, int] = {}
    part: Part | None = None


def problem(text: str | bytes) -> InvalidInput:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=Body)
    return invalid_input(caught.value)


@pytest.mark.parametrize(
    ("text", "field", "rule"),
    [
        ("{}", "name", "is required"),
        ('{"name": "a", "part": {}}', "part.size", "is required"),
        ('{"name": "a", "x": 1}', "x", "is not a known field"),
        ('{"name": "a", "part": {"size": 1, "x": 1}}', "part.x", "is not a known field"),
        ('{"name": 1}', "name", "expected `str`, got `int`"),
        ('{"name": "abc"}', "name", "expected `str` of length <= 2"),
        ('{"name": "a", "tags": ["a", "abc"]}', "tags[1]", "expected `str` of length <= 2"),
        ('{"name": "a", "counts": {"a": "b"}}', "counts[...]", "expected `int`, got `str`"),
        ('{"name": "a", "counts": {"abc": 1}}', "counts", "expected `str` of length <= 2"),
        ("[]", "body", "expected `object`, got `array`"),
    ],
)
def test_the_field_and_the_rule_are_named(text, field, rule):
    said = problem(text)

    assert said.details == {"field": field, "rule": rule}


@given(name=st.text())
def test_whatever_an_unknown_field_is_called_it_is_said(name):
    if name in Body.__struct_fields__:
        return

    said = problem(msgspec.json.encode({"name": "a", name: 1}))

    assert said.details["rule"] == "is not a known field"
