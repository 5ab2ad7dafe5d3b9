"""Filters of labels, in Centrifugo's words: equality, and `and`."""

from messaging.protocol.codes import ErrorCode
from messaging.protocol.values import FilterNode
from messaging.refusals import Declined

DEPTH = 8
"""How deep `and` may be nested; it never needs to be."""


def labels_wanted(node: FilterNode | None, *, depth: int = DEPTH) -> dict[str, str]:
    """The labels that a connection must have, all of them. Declines other comparisons.

    Whoever wants one label to be two things at once wants something else than we know.
    """
    if node is None:
        return {}
    if not node.op and node.cmp == "eq" and node.key:
        return {node.key: node.val}
    if node.op != "and" or not node.nodes or not depth:
        raise Declined(ErrorCode.NOT_AVAILABLE, "labels are compared by eq and joined by and only")
    labels: dict[str, str] = {}
    for each in node.nodes:
        for name, text in labels_wanted(each, depth=depth - 1).items():
            if labels.setdefault(name, text) != text:
                raise Declined(ErrorCode.NOT_AVAILABLE, f"{name!r} cannot be two texts at once")
    return labels
