"""After an outage: what came due meanwhile goes behind what is due now, and no faster than may be.

Whoever waits for a reminder of this minute must not wait for a hundred thousand of this morning.
"""

from datetime import timedelta

from kernel.clock import Clock
from kernel.leases import Lease, Leases
from kernel.limits import TokenBucket

BEHIND = timedelta(minutes=15)
"""What has been due for longer is late by an outage, not by a busy minute."""

LEASE = timedelta(seconds=30)
RENEWED_SECONDS = 10.0
"""How long one scheduler's turn is, and how often it is made longer, or asked for."""

NAME = "reminders:late"


class LateTurn:
    """Of all schedulers one at a time hands over what is late, so that the rate is theirs
    together; when it dies another goes on."""

    def __init__(self, leases: Leases, *, node_id: str, clock: Clock, per_second: float) -> None:
        self._leases = leases
        self._node_id = node_id
        self._clock = clock
        self._bucket = TokenBucket(rate=per_second, burst=max(1.0, per_second))
        self._lease: Lease | None = None
        self._asked_at = float("-inf")

    async def allowed(self) -> int:
        """How many may be handed over now, by this scheduler."""
        monotonic = self._clock.monotonic()
        if monotonic - self._asked_at >= RENEWED_SECONDS:
            self._asked_at = monotonic
            self._lease = await self._leases.claim(
                NAME, holder=self._node_id, now=self._clock.now(), length=LEASE
            )
        if self._lease is None or self._lease.expires_at <= self._clock.now():
            return 0
        self._bucket.fill(monotonic)
        return max(0, int(self._bucket.tokens))

    def took(self, count: int) -> None:
        """So many were handed over; more than were allowed are paid for with time."""
        self._bucket.tokens -= count
