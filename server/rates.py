"""How often one principal may ask over HTTP: a token bucket each, forgotten when full again."""

from kernel.clock import Clock
from kernel.errors import RateLimited
from kernel.identity import Principal
from kernel.limits import TokenBucket

_SWEEP = 10_000
"""Principals remembered before those who have been quiet are forgotten."""


class Rates:
    """Per process: with several nodes, a principal may ask as often at each."""

    def __init__(self, *, clock: Clock, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, principal: Principal) -> None:
        """Count one request. Raises `RateLimited` when it comes too soon."""
        now = self._clock.monotonic()
        name = f"user:{principal.user_id}" if principal.user_id else f"key:{principal.key_id}"
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _SWEEP:
                self._sweep(now)
            bucket = self._buckets[name] = TokenBucket(self._rate, self._burst, at=now)
        wait = bucket.take(now)
        if wait > 0:
            raise RateLimited("Too many requests.", retry_after=wait)

    def _sweep(self, now: float) -> None:
        """A bucket that would be full by now says no more than a new one."""
        quiet = self._burst / self._rate
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if now - bucket.at < quiet
        }
