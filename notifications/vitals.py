"""How a provider's connections fare."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a provider's connections are: for metrics.

    `slots` is how many attempts the provider lets be under way on them together, `waiting` how
    many have no slot yet; `drained` counts connections that the provider wanted to end (GOAWAY)
    since they were opened.
    """

    connections: int = 0
    slots: int = 0
    waiting: int = 0
    drained: int = 0

    def __add__(self, other: "Vitals") -> "Vitals":
        return Vitals(
            self.connections + other.connections,
            self.slots + other.slots,
            self.waiting + other.waiting,
            self.drained + other.drained,
        )
