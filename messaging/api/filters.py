"""Filters of labels that servers ask with."""

from kernel.errors import InvalidInput
from messaging.connections.label_filters import problem_with
from messaging.protocol.values import FilterNode


def checked(node: FilterNode | None) -> FilterNode | None:
    """The same filter. Refuses one that we would not understand."""
    problem = "" if node is None else problem_with(node)
    if problem:
        raise InvalidInput("label_filter", problem)
    return node
