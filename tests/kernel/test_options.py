from dataclasses import dataclass

import pytest

from kernel.options import Option, declared, option


@dataclass(frozen=True)
class Options:
    size: int = option(3, "How big.")
    names: list[str] = option(["a"], "Who.", secret=True)  # noqa: RUF009
    key: str = option("", "What opens it.", secret=True)


def test_what_is_declared_can_be_listed_in_its_order():
    assert list(declared(Options)) == [
        Option("size", int, 3, "How big.", secret=False),
        Option("names", list[str], ["a"], "Who.", secret=True),
        Option("key", str, "", "What opens it.", secret=True),
    ]


def test_defaults_are_not_shared_between_instances():
    first, second = Options(), Options()
    first.names.append("b")

    assert second.names == ["a"]


def test_secrets_are_never_shown():
    shown = repr(Options(names=["hidden"], key="hidden"))

    assert "hidden" not in shown
    assert "size=3" in shown


def test_a_field_that_is_no_option_is_a_mistake():
    @dataclass
    class Mixed:
        size: int = 3

    with pytest.raises(KeyError):
        list(declared(Mixed))
