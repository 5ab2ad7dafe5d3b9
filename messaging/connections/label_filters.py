"""Filters of labels: comparisons, joined by `and`, `or` and `not`, in Centrifugo's words."""

import re
from collections.abc import Mapping
from decimal import Decimal

from messaging.protocol.values import FilterNode

DEPTH = 8
"""How deep comparisons may be nested."""

_WITH_TEXT = frozenset(("eq", "neq", "sw", "ew", "ct", "gt", "gte", "lt", "lte"))
_WITH_TEXTS = frozenset(("in", "nin"))
_ALONE = frozenset(("ex", "nex"))
_NUMERIC = frozenset(("gt", "gte", "lt", "lte"))

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?")


def problem_with(node: FilterNode, *, depth: int = DEPTH) -> str:
    """What is wrong with a filter, as a sentence without its beginning; empty if nothing is."""
    match node.op:
        case "":
            return _problem_with_comparison(node)
        case "and" | "or" if not node.nodes:
            return f"joins nothing by {node.op}"
        case "not" if len(node.nodes) != 1:
            return "may negate one node at a time"
        case "and" | "or" | "not" if not depth:
            return f"is nested more than {DEPTH} times"
        case "and" | "or" | "not":
            found = (problem_with(each, depth=depth - 1) for each in node.nodes)
            return next(filter(None, found), "")
        case _:
            return f"knows and, or and not, but not {node.op!r}"


def fits(node: FilterNode, labels: Mapping[str, str]) -> bool:
    """Whether what is labelled like this passes a filter with which nothing is wrong.

    What has no such label differs from every text, and is no number.
    """
    match node.op:
        case "and":
            return all(fits(each, labels) for each in node.nodes)
        case "or":
            return any(fits(each, labels) for each in node.nodes)
        case "not":
            return not fits(node.nodes[0], labels)
        case _:
            return _compares(node, labels.get(node.key))


def _problem_with_comparison(node: FilterNode) -> str:
    if node.cmp not in _WITH_TEXT | _WITH_TEXTS | _ALONE:
        return f"cannot compare by {node.cmp!r}"
    if not node.key:
        return "must name the label that it compares, as key"
    if bool(node.val) != (node.cmp in _WITH_TEXT) or bool(node.vals) != (node.cmp in _WITH_TEXTS):
        return f"has other values than {node.cmp} takes"
    if node.cmp in _NUMERIC and not _NUMBER.fullmatch(node.val):
        return f"compares by {node.cmp} with what is no number"
    return ""


def _compares(node: FilterNode, label: str | None) -> bool:
    match node.cmp:
        case "neq":
            return label != node.val
        case "nin":
            return label not in node.vals
        case "nex":
            return label is None
    if label is None:
        return False
    match node.cmp:
        case "eq":
            return label == node.val
        case "in":
            return label in node.vals
        case "sw":
            return label.startswith(node.val)
        case "ew":
            return label.endswith(node.val)
        case "ct":
            return node.val in label
        case "ex":
            return True
        case _:
            return bool(_NUMBER.fullmatch(label)) and _orders(node, Decimal(label))


def _orders(node: FilterNode, number: Decimal) -> bool:
    bound = Decimal(node.val)
    match node.cmp:
        case "gt":
            return number > bound
        case "gte":
            return number >= bound
        case "lt":
            return number < bound
        case _:
            return number <= bound
