"""Filters of labels: what passes them, and what is wrong with them."""

import pytest

from messaging.connections.label_filters import DEPTH, fits, problem_with
from messaging.protocol.values import FilterNode

LABELS = {"device": "phone", "plan": "gold", "version": "12.50", "build": "1e3"}
PHONE = FilterNode(key="device", cmp="eq", val="phone")
SILVER = FilterNode(key="plan", cmp="eq", val="silver")


def by(cmp: str, key: str, *vals: str) -> FilterNode:
    if cmp in ("in", "nin"):
        return FilterNode(key=key, cmp=cmp, vals=vals)
    return FilterNode(key=key, cmp=cmp, val="".join(vals))


def join(op: str, *nodes: FilterNode) -> FilterNode:
    return FilterNode(op=op, nodes=nodes)


@pytest.mark.parametrize(
    "node",
    [
        PHONE,
        by("neq", "device", "browser"),
        by("neq", "tenant", "a"),
        by("in", "device", "browser", "phone"),
        by("nin", "device", "browser"),
        by("nin", "tenant", "a"),
        by("ex", "plan"),
        by("nex", "tenant"),
        by("sw", "device", "pho"),
        by("ew", "device", "one"),
        by("ct", "device", "hon"),
        by("gt", "version", "9"),
        by("gte", "version", "12.5"),
        by("lt", "version", "12.51"),
        by("lte", "version", "12.5"),
        join("and", PHONE, join("not", SILVER)),
        join("or", SILVER, PHONE),
    ],
)
def test_a_filter_passes_what_its_comparisons_say(node: FilterNode) -> None:
    assert problem_with(node) == ""
    assert fits(node, LABELS)
    assert not fits(join("not", node), LABELS)


@pytest.mark.parametrize(
    "node",
    [
        by("eq", "tenant", "a"),
        by("in", "tenant", "a"),
        by("sw", "tenant", "a"),
        by("lt", "tenant", "1"),
        by("lt", "device", "1"),
        by("lt", "build", "2000"),
        join("and", PHONE, SILVER),
        join("or", SILVER, SILVER),
    ],
)
def test_what_has_no_such_label_or_number_does_not_pass(node: FilterNode) -> None:
    assert problem_with(node) == ""
    assert not fits(node, LABELS)


def nested(times: int) -> FilterNode:
    node = PHONE
    for _ in range(times):
        node = join("and", node)
    return node


def test_filters_may_be_nested() -> None:
    assert problem_with(nested(DEPTH)) == ""


@pytest.mark.parametrize(
    "node",
    [
        FilterNode(),
        FilterNode(cmp="eq", val="phone"),
        by("like", "device", "phone"),
        by("eq", "device"),
        by("ex", "device", "phone"),
        FilterNode(key="device", cmp="in", val="phone"),
        FilterNode(key="device", cmp="eq", val="phone", vals=("phone",)),
        by("gt", "version", "new"),
        by("gt", "version", "1_000"),
        join("and"),
        join("or"),
        join("not"),
        join("not", PHONE, PHONE),
        join("xor", PHONE),
        join("or", PHONE, by("like", "device", "phone")),
        nested(DEPTH + 1),
        nested(900),
    ],
)
def test_what_is_not_understood_is_told(node: FilterNode) -> None:
    assert problem_with(node)
