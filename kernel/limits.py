"""Token buckets: how often something may happen. Pure; time is an argument."""

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """Lets `rate` things a second happen, and up to `burst` at once."""

    rate: float
    burst: float
    tokens: float = -1.0
    at: float = 0.0

    def __post_init__(self) -> None:
        if self.tokens < 0:
            self.tokens = self.burst

    def take(self, now: float, cost: float = 1.0) -> float:
        """0.0 when it may happen; otherwise the seconds until it may, and nothing is taken.

        `now` is monotonic seconds. A cost above `burst` waits for a full bucket.
        """
        self.fill(now)
        if cost <= self.tokens:
            self.tokens -= cost
            return 0.0
        wait = self.wait(now, cost)
        if wait == 0.0:
            self.tokens -= cost
        return wait

    def wait(self, now: float, cost: float = 1.0) -> float:
        """The seconds until it may happen; nothing is taken."""
        self.fill(now)
        return max(0.0, (min(cost, self.burst) - self.tokens) / self.rate)

    def fill(self, now: float) -> None:
        """Bring `tokens` up to now."""
        if now > self.at:
            tokens = self.tokens + (now - self.at) * self.rate
            self.tokens = tokens if tokens < self.burst else self.burst
            self.at = now
