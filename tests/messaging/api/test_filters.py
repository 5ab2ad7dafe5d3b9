"""Filters of labels: what they want, and what we do not know."""

import pytest

from messaging.api.filters import DEPTH, labels_wanted
from messaging.protocol.values import FilterNode
from messaging.refusals import Declined

PHONE = FilterNode(key="device", cmp="eq", val="phone")
GOLD = FilterNode(key="plan", cmp="eq", val="gold")


def both(*nodes: FilterNode) -> FilterNode:
    return FilterNode(op="and", nodes=nodes)


@pytest.mark.parametrize(
    ("node", "labels"),
    [
        (None, {}),
        (PHONE, {"device": "phone"}),
        (both(PHONE, both(GOLD, PHONE)), {"device": "phone", "plan": "gold"}),
    ],
)
def test_equality_and_and_are_known(node: FilterNode | None, labels: dict[str, str]) -> None:
    assert labels_wanted(node) == labels


def nested(times: int) -> FilterNode:
    node = PHONE
    for _ in range(times):
        node = both(node)
    return node


@pytest.mark.parametrize(
    "node",
    [
        FilterNode(),
        FilterNode(key="device", cmp="neq", val="phone"),
        FilterNode(cmp="eq", val="phone"),
        FilterNode(op="or", nodes=(PHONE, GOLD)),
        FilterNode(op="not", nodes=(PHONE,)),
        both(),
        both(PHONE, FilterNode(key="device", cmp="eq", val="browser")),
        nested(DEPTH + 1),
        nested(900),
    ],
)
def test_what_we_do_not_know_is_never_ignored(node: FilterNode) -> None:
    with pytest.raises(Declined):
        labels_wanted(node)
