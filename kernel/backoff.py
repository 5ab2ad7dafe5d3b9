"""Delays between attempts: exponential, capped, with full jitter. Pure but for the dice."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).

    All in seconds. The n-th delay is drawn evenly from [`floor`, min(`cap`, `first` * 2**(n-1))].
    """

    first: float
    cap: float
    floor: float = 0.0

    def ceiling(self, failures: int) -> float:
        """The longest possible delay after that many failures in a row (1, 2, 3 …)."""
        return max(self.floor, min(self.cap, self.first * 2.0 ** min(failures - 1, 62)))

    def delay(self, failures: int) -> float:
        """How long to wait after that many failures in a row."""
        return random.uniform(self.floor, self.ceiling(failures))  # noqa: S311
