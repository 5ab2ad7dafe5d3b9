"""How fast the campaigns of one app may go, over all its routes and on all dispatchers."""

from kernel.limits import TokenBucket
from kernel.notices import Urgency
from notifications.ports import SharedRates
from notifications.throttle import burst_of
from notifications.types import Route

_ANY = Route.FCM
"""Shared rates know routes; this one stands for all of them."""


class AppPace:
    """A token bucket for each app. What is too fast waits; nothing is lost or refused.

    `shared` are rates of its own, kept with other dispatchers, if there are any.
    """

    def __init__(self, *, per_second: float, shared: SharedRates | None = None) -> None:
        self._per_second = per_second
        self._shared = shared
        self._buckets: dict[str, TokenBucket] = {}

    async def take(self, app_id: str, wanted: int, *, now: float) -> int:
        """How many of `wanted` pushes of campaigns may go now. `now` is monotonic seconds."""
        if self._shared is not None:
            # Nobody is to be left room for: only campaigns are counted here.
            return await self._shared.take(
                _ANY, wanted, urgency=Urgency.TRANSACTIONAL, app_id=app_id
            )
        bucket = self._bucket(app_id)
        bucket.take(now, 0.0)
        allowed = max(0, min(wanted, int(bucket.tokens)))
        bucket.tokens -= allowed
        return allowed

    def give_back(self, app_id: str, unused: int) -> None:
        """Return what was taken and not used."""
        if self._shared is not None:
            self._shared.give_back(_ANY, unused, app_id=app_id)
        else:
            bucket = self._bucket(app_id)
            bucket.tokens = min(bucket.burst, bucket.tokens + unused)

    def _bucket(self, app_id: str) -> TokenBucket:
        bucket = self._buckets.get(app_id)
        if bucket is None:
            made = TokenBucket(self._per_second, burst_of(self._per_second))
            bucket = self._buckets[app_id] = made
        return bucket
