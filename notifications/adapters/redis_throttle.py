"""How fast all dispatchers together feed a credential: a token bucket in Redis for each."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster

from kernel.adapters.redis_client import REDIS_ERRORS
from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.notices import Urgency
from notifications.throttle import IDLE, RECOVERY_PER_SECOND, RESERVE, SLOWEST, Throttle, cold
from notifications.types import DEFAULT_APP, Route

log = logging.getLogger(__name__)

WITHIN = 0.5
"""Seconds in which Redis must answer: chat waits for it."""

AWAY_FIRST, AWAY_LONGEST = 1.0, 30.0
"""Seconds for which Redis is left alone after it did not answer; twice as long each time."""

# As `notifications/throttle.py`, on the server's own clock. The second key holds who feeds the
# credential, so that each knows its share when Redis is away.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local full, wanted, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local ramp, unused = tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('HSET', KEYS[2], ARGV[6], string.format('%.6f', now))
redis.call('EXPIRE', KEYS[2], 3600)
local known, feeding = redis.call('HGETALL', KEYS[2]), 0
for i = 1, #known, 2 do
  if tonumber(known[i + 1]) < now - 60 then
    redis.call('HDEL', KEYS[2], known[i])
  else
    feeding = feeding + 1
  end
end
local was = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'rate', 'paused', 'begun', 'used')
local paused = tonumber(was[4]) or 0
if paused > now then return {0, feeding} end
local at = math.min(tonumber(was[2]) or now, now)
local rate = math.min(full, (tonumber(was[3]) or full) + full * ARGV[7] * (now - at))
local begun, used = tonumber(was[5]) or now, tonumber(was[6]) or 0
local tokens = tonumber(was[1])
if not tokens or now - used > tonumber(ARGV[8]) then begun, tokens = now, math.huge end
local speed = rate
if now - begun < ramp then
  speed = math.min(rate, math.max(tonumber(ARGV[9]), full * (now - begun) / ramp))
end
local burst = math.max(10, speed / 10)
tokens = math.min(burst, tokens + unused + (now - at) * speed)
local granted = math.max(0, math.min(wanted, math.floor(tokens - kept * burst)))
if granted > 0 then used = now end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens - granted),
  'at', string.format('%.6f', now), 'rate', string.format('%.6f', rate),
  'begun', string.format('%.6f', begun), 'used', string.format('%.6f', used))
redis.call('EXPIRE', KEYS[1], 7200)
return {granted, feeding}
"""

_COMPLAINED = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local full = tonumber(ARGV[1])
local was = redis.call('HMGET', KEYS[1], 'rate', 'paused', 'at')
local paused = tonumber(was[2]) or 0
if paused <= now then
  local healed = full * ARGV[4] * math.max(0, now - (tonumber(was[3]) or now))
  local rate = math.min(full, (tonumber(was[1]) or full) + healed)
  redis.call('HSET', KEYS[1], 'rate', string.format('%.6f', math.max(full * ARGV[3], rate / 2)),
    'at', string.format('%.6f', now))
end
redis.call('HSET', KEYS[1], 'paused', string.format('%.6f', math.max(paused, now + ARGV[2])))
redis.call('EXPIRE', KEYS[1], 7200)
return 1
"""


class RedisThrottle:
    """Fulfils `SharedRates`. Redis may be lost at any moment, with what it knew.

    While it is away each dispatcher keeps to the share it had when Redis was last there: the
    full rate, divided by those who fed the credential within the last minute.
    """

    def __init__(
        self,
        redis: "Redis | RedisCluster",
        *,
        rates: Mapping[Route, float],
        ramp: float,
        node_id: str,
        prefix: str,
        clock: Clock,
        metrics: Metrics,
        within: float = WITHIN,
    ) -> None:
        self._redis: Any = redis
        self._rates = rates
        self._ramp = ramp
        self._node_id = node_id
        self._prefix = prefix
        self._clock = clock
        self._within = within
        self._shares: dict[tuple[str, Route], Throttle] = {}
        self._unused: Counter[tuple[str, Route]] = Counter()
        self._away_until = float("-inf")
        self._away_for = AWAY_FIRST
        self._shared = metrics.gauge(
            "notifications_rates_shared",
            "1 while Redis says how fast providers are fed, 0 while each dispatcher has its share.",
        )
        self._failures = metrics.counter(
            "notifications_shared_rates_failures_total",
            "Times that Redis could not say how fast a provider may be fed.",
        )

    async def take(
        self, route: Route, wanted: int, *, urgency: Urgency, app_id: str = DEFAULT_APP
    ) -> int:
        kept = RESERVE if urgency is Urgency.MARKETING else 0.0
        unused = self._unused.pop((app_id, route), 0)
        answer = await self._ask(
            _TAKE,
            self._keys(app_id, route),
            self._rates[route],
            wanted,
            kept,
            self._ramp,
            unused,
            self._node_id,
            RECOVERY_PER_SECOND,
            IDLE,
            cold(self._rates[route]),
        )
        if answer is None:
            now = self._clock.monotonic()
            return self._share(app_id, route).allow(wanted, urgency=urgency, now=now)
        granted, feeding = answer
        self._share(app_id, route).share(self._rates[route] / max(1, feeding))
        return int(granted)

    def give_back(self, route: Route, unused: int, *, app_id: str = DEFAULT_APP) -> None:
        self._unused[app_id, route] += unused

    async def complained(
        self, route: Route, *, retry_after: float, app_id: str = DEFAULT_APP
    ) -> None:
        share = self._share(app_id, route)
        share.complained(retry_after=retry_after, now=self._clock.monotonic())
        await self._ask(
            _COMPLAINED,
            self._keys(app_id, route)[:1],
            self._rates[route],
            retry_after,
            SLOWEST,
            RECOVERY_PER_SECOND,
        )

    def _share(self, app_id: str, route: Route) -> Throttle:
        """What this process keeps to while Redis is away."""
        share = self._shares.get((app_id, route))
        if share is None:
            share = self._shares[app_id, route] = Throttle(per_second=self._rates[route])
        return share

    def _keys(self, app_id: str, route: Route) -> list[str]:
        # In braces, so that both are in the same slot of a cluster.
        key = f"{self._prefix}:{{{app_id}:{route}}}"
        return [key, f"{key}:feeding"]

    async def _ask(self, script: str, keys: list[str], *words: float | str) -> Any:
        """What the script says, or None while Redis is away."""
        if self._clock.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(self._within):
                answer = await self._redis.eval(script, len(keys), *keys, *words)
        except (*REDIS_ERRORS, TimeoutError) as error:
            self._failures.inc()
            self._shared.set(0)
            log.warning(
                "redis does not say how fast providers may be fed", extra={"error": str(error)}
            )
            self._away_until = self._clock.monotonic() + self._away_for
            self._away_for = min(AWAY_LONGEST, 2 * self._away_for)
            return None
        self._away_for = AWAY_FIRST
        self._shared.set(1)
        return answer
