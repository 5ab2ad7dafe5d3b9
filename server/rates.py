"""How often one caller may ask: a token bucket each, of the latest callers."""

from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from kernel.clock import Clock
from kernel.errors import RateLimited
from kernel.identity import Principal
from kernel.limits import TokenBucket

REMEMBERED = 10_000
"""Callers remembered at once; beyond that, who was quiet for longest starts afresh."""


class Rates:
    """Per process: with several nodes, a caller may ask as often at each."""

    def __init__(self, *, clock: Clock, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def count(self, principal: Principal) -> None:
        """Count one request of a principal. Raises `RateLimited` when it comes too soon."""
        self.take(caller_of(principal))

    def take(self, caller: str) -> None:
        """Count one request. Raises `RateLimited` when it comes too soon."""
        now = self._clock.monotonic()
        _refuse_for(self._bucket(caller, now).take(now))

    def check(self, caller: str) -> None:
        """Raises `RateLimited` when a request would come too soon; counts nothing."""
        if caller in self._buckets:
            _refuse_for(self._buckets[caller].wait(self._clock.monotonic()))

    def _bucket(self, caller: str, now: float) -> TokenBucket:
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= REMEMBERED:
                self._buckets.popitem(last=False)
            bucket = self._buckets[caller] = TokenBucket(self._rate, self._burst, at=now)
        else:
            self._buckets.move_to_end(caller)
        return bucket


def _refuse_for(seconds: float) -> None:
    if seconds > 0:
        raise RateLimited("Too many requests.", retry_after=seconds)


def caller_of(principal: Principal) -> str:
    """What a principal's requests are counted under."""
    return f"user:{principal.user_id}" if principal.user_id else f"key:{principal.key_id}"


@lru_cache(maxsize=REMEMBERED)
def neighbourhood_of(address: str) -> str:
    """What a stranger's requests are counted under: one network is one stranger in IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return address
