from enum import Enum
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from kernel.operations import invalid_input

Short = Annotated[str, msgspec.Meta(max_length=2)]


Clock = Annotated[str, msgspec.Meta(pattern="^[0-9]+:[0-9]+$", examples=["09:00"])]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(msgspec.Struct, forbid_unknown_fields=True):
    size: int


class ByDay(msgspec.Struct, tag_field="kind", tag="day"):
    day: int


class ByClock(msgspec.Struct, tag_field="kind", tag="clock"):
    at: Clock


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: Short
    tags: list[Short] = []
    counts: dict[Short, int] = {}
    part: Part | None = None
    colour: Colour | None = None
    sizes: dict[Colour, list[Literal["s", "m", 3]]] = {}
    leads: tuple[ByDay | ByClock, ...] = ()
    code: Annotated[str, msgspec.Meta(pattern="^[a-z]$")] = "a"


def problem(text: str | bytes) -> InvalidInput:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=Body)
    return invalid_input(caught.value, Body)


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
        ('{"name": "a", "colour": "pink"}', "colour", "must be one of red, blue"),
        ('{"name": "a", "sizes": {"pink": []}}', "sizes", "must be one of red, blue"),
        ('{"name": "a", "sizes": {"red": ["x"]}}', "sizes[...][0]", "must be one of 3, m, s"),
        ('{"name": "a", "sizes": {"red": [4]}}', "sizes[...][0]", "must be one of 3, m, s"),
        ('{"name": "a", "leads": [{"kind": "x"}]}', "leads[0].kind", "must be one of day, clock"),
        (
            '{"name": "a", "leads": [{"kind": "clock", "at": "9"}]}',
            "leads[0].at",
            "expected `str` matching regex '^[0-9]+:[0-9]+$', such as 09:00",
        ),
        ('{"name": "a", "code": "ab"}', "code", "expected `str` matching regex '^[a-z]$'"),
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
