"""How fast one credential may be fed, and who must leave room for whom. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from kernel.limits import TokenBucket
from kernel.notices import Urgency
from kernel.options import option
from notifications.types import Route

RESERVE = 0.2
"""The share of the bucket that marketing must leave for everything else."""

SLOWEST = 1 / 64
"""However often a provider complains, the rate never falls below this share of the full one."""

RECOVERY_PER_SECOND = 0.005
"""The share of the full rate that comes back each second: 5 % in 10 s."""

COLD = 1 / 20
"""The share of the full rate with which a credential begins that is new or rested."""

COLD_LEAST = 10.0
"""Pushes a second that are nobody's burden, however cold."""

IDLE = 300.0
"""Seconds without a push after which a credential counts as rested."""

PAUSE = 0.05
"""Seconds to wait for the next few pushes when there are none to have."""


@dataclass(frozen=True, slots=True)
class ThrottleOptions:
    """How fast each provider credential may be fed, by all processes that share a Redis."""

    fcm_per_second: float = option(
        7000.0, "Pushes a second to FCM: 70 % of a project's default quota of 10,000."
    )
    apns_per_second: float = option(5000.0, "Pushes a second to APNs, for each environment.")
    webpush_per_second: float = option(
        1000.0, "Pushes a second to browsers' push services, all of them together."
    )
    ramp_seconds: float = option(
        60.0,
        "How long a credential that is new or rested takes to its full rate; Google asks for 60.",
    )

    fcm_device_per_minute: float = option(
        240.0,
        "Pushes to one device through FCM in a minute, as FCM allows; what is too much waits. 0 is"
        " any number.",
    )
    app_marketing_per_second: float = option(
        0.0,
        "Campaign pushes a second of one app, over all its routes together; what is too fast"
        " waits. 0 is as fast as the providers let it.",
    )

    def __post_init__(self) -> None:
        if self.app_marketing_per_second < 0:
            raise ValueError("app_marketing_per_second must not be below 0")
        if self.fcm_device_per_minute < 0:
            raise ValueError("fcm_device_per_minute must not be below 0")
        if self.ramp_seconds < 0:
            raise ValueError("ramp_seconds must be at least 0")
        if self.fcm_per_second <= 0:
            raise ValueError("fcm_per_second must be above 0")
        if self.apns_per_second <= 0:
            raise ValueError("apns_per_second must be above 0")
        if self.webpush_per_second <= 0:
            raise ValueError("webpush_per_second must be above 0")

    @property
    def phones_per_second(self) -> float:
        """What every provider of phones takes."""
        return min(self.fcm_per_second, self.apns_per_second)

    @property
    def rates(self) -> Mapping[Route, float]:
        """Pushes a second on each route."""
        return {
            Route.FCM: self.fcm_per_second,
            Route.APNS: self.apns_per_second,
            Route.APNS_SANDBOX: self.apns_per_second,
            Route.WEBPUSH: self.webpush_per_second,
        }


class Throttle:
    """A token bucket that starts slowly, halves its rate when the provider complains, and heals.

    All instants are monotonic seconds.
    """

    def __init__(self, *, per_second: float, ramp: float = 0.0) -> None:
        self._full = per_second
        self._rate = per_second
        self._ramp = ramp
        self._begun_at: float | None = None
        self._used_at = 0.0
        self._rated_at: float | None = None
        self._bucket = TokenBucket(rate=per_second, burst=burst_of(per_second))
        self._paused_until = float("-inf")

    def allow(self, wanted: int, *, urgency: Urgency, now: float) -> int:
        """How many of `wanted` pushes may go now; they are taken from the bucket."""
        if now < self._paused_until:
            return 0
        self._recover(now)
        self._warm(now)
        self._bucket.take(now, 0.0)
        kept = RESERVE * self._bucket.burst if urgency is Urgency.MARKETING else 0.0
        allowed = max(0, min(wanted, int(self._bucket.tokens - kept)))
        if allowed:
            self._bucket.tokens -= allowed
            self._used_at = now
        return allowed

    def again_in(self, *, now: float) -> float:
        """Seconds until it is worth asking again."""
        return max(PAUSE, self._paused_until - now)

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
        self._paused_until = max(self._paused_until, now + retry_after)

    def share(self, per_second: float) -> None:
        """Go on with another full rate: more or fewer feed the credential now."""
        self._rate *= per_second / self._full
        self._full = per_second

    @property
    def rate(self) -> float:
        """Pushes a second, as of the last look, were the credential warm."""
        return self._rate

    def _recover(self, now: float) -> None:
        if self._rated_at is not None and self._rate < self._full:
            healed = self._full * RECOVERY_PER_SECOND * max(0.0, now - self._rated_at)
            self._rate = min(self._full, self._rate + healed)
        self._rated_at = now

    def _warm(self, now: float) -> None:
        """Set the bucket to the rate of this moment."""
        if self._begun_at is None or now - self._used_at > IDLE:
            self._begun_at = self._used_at = now
            if self._ramp:
                self._bucket.tokens = burst_of(cold(self._full))
        rate = self._rate
        if now - self._begun_at < self._ramp:
            warmed = self._full * (now - self._begun_at) / self._ramp
            rate = min(rate, max(cold(self._full), warmed))
        self._bucket.rate, self._bucket.burst = rate, burst_of(rate)


def cold(full: float) -> float:
    """The rate with which a credential begins whose full rate is this."""
    return min(full, max(COLD_LEAST, full * COLD))


def burst_of(per_second: float) -> float:
    """A tenth of a second's worth at once: no minute is ever burnt in its first seconds."""
    return max(10.0, per_second / 10)
