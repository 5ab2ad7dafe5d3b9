"""How fast one credential may be fed, and who must leave room for whom. Pure."""

from dataclasses import dataclass

from kernel.limits import TokenBucket
from kernel.notices import Urgency
from kernel.options import option

RESERVE = 0.2
"""The share of the bucket that marketing must leave for everything else."""

SLOWEST = 1 / 64
"""However often a provider complains, the rate never falls below this share of the full one."""

RECOVERY_PER_SECOND = 0.005
"""The share of the full rate that comes back each second: 5 % in 10 s."""


@dataclass(frozen=True, slots=True)
class ThrottleOptions:
    """How fast each provider credential may be fed, per process."""

    fcm_per_second: float = option(
        7000.0, "Pushes a second to FCM: 70 % of a project's default quota of 10,000."
    )
    apns_per_second: float = option(5000.0, "Pushes a second to APNs, for each environment.")
    webpush_per_second: float = option(
        1000.0, "Pushes a second to browsers' push services, all of them together."
    )

    def __post_init__(self) -> None:
        if self.fcm_per_second <= 0:
            raise ValueError("fcm_per_second must be above 0")
        if self.apns_per_second <= 0:
            raise ValueError("apns_per_second must be above 0")
        if self.webpush_per_second <= 0:
            raise ValueError("webpush_per_second must be above 0")


class Throttle:
    """A token bucket that halves its rate when the provider complains, and recovers slowly.

    All instants are monotonic seconds.
    """

    def __init__(self, *, per_second: float) -> None:
        self._full = per_second
        self._rate = per_second
        self._rated_at: float | None = None
        # A tenth of a second's worth at once: no minute is ever burnt in its first seconds.
        self._bucket = TokenBucket(rate=per_second, burst=max(10.0, per_second / 10))
        self._paused_until = float("-inf")

    def allow(self, wanted: int, *, urgency: Urgency, now: float) -> int:
        """How many of `wanted` pushes may go now; they are taken from the bucket."""
        if now < self._paused_until:
            return 0
        self._recover(now)
        self._bucket.take(now, 0.0)
        kept = RESERVE * self._bucket.burst if urgency is Urgency.MARKETING else 0.0
        allowed = max(0, min(wanted, int(self._bucket.tokens - kept)))
        self._bucket.tokens -= allowed
        return allowed

    def give_back(self, unused: int) -> None:
        """Return what was allowed and not used."""
        self._bucket.tokens = min(self._bucket.burst, self._bucket.tokens + unused)

    def complained(self, *, retry_after: float, now: float) -> None:
        """The provider said "too much" to this credential: pause, then go on at half the rate.

        Answers to what was under way when it first complained do not halve the rate again.
        """
        if now >= self._paused_until:
            self._recover(now)
            self._rate = max(self._full * SLOWEST, self._rate / 2)
            self._bucket.rate = self._rate
        self._paused_until = max(self._paused_until, now + retry_after)

    @property
    def rate(self) -> float:
        """Pushes a second, as of the last look."""
        return self._rate

    def _recover(self, now: float) -> None:
        if self._rated_at is not None and self._rate < self._full:
            healed = self._full * RECOVERY_PER_SECOND * max(0.0, now - self._rated_at)
            self._rate = min(self._full, self._rate + healed)
            self._bucket.rate = self._rate
        self._rated_at = now
