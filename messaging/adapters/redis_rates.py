"""Rates of users over all nodes, in Redis: a hash per user, and a script that takes from it."""

import asyncio
import logging
import math
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis, RedisCluster

from kernel.adapters.redis_client import REDIS_ERRORS
from kernel.clock import Clock
from kernel.ids import UserId
from kernel.metrics import Metrics
from messaging.adapters.memory_rates import MemoryRates
from messaging.connections.rates import Draws

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Questions in one round trip, at most."""

AWAY_SECONDS = 1.0
"""How long Redis is left alone after it did not answer: nobody waits for it meanwhile."""

# The server's own clock counts, so nodes need not agree about the time. Its going back must not
# keep a bucket empty, hence the second look at `at`.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local left, allowed = {}, 1
for i = 2, #ARGV, 3 do
  local rate, interval = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local kept = redis.call('HMGET', KEYS[1], ARGV[i], ARGV[i] .. '@')
  local tokens, at = tonumber(kept[1]) or rate, tonumber(kept[2]) or now
  if at > now then
    redis.call('HSET', KEYS[1], ARGV[i] .. '@', string.format('%.6f', now))
    at = now
  end
  left[i] = math.min(rate, tokens + (now - at) * rate / interval)
  if left[i] < 1 then allowed = 0 end
end
if allowed == 0 then return 0 end
for i = 2, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[i], string.format('%.6f', left[i] - 1),
    ARGV[i] .. '@', string.format('%.6f', now))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""

_Asked = tuple[UserId, Draws, "asyncio.Future[bool]"]


class RedisRates:
    """Fulfils `RateStore`. Whoever asks while Redis is being asked goes together in the next round.

    Keys: `<prefix>:<user>`, a hash with what is left in each bucket, and when that was. While
    Redis is away each node counts by itself.
    """

    def __init__(
        self,
        redis: "Redis | RedisCluster",
        *,
        clock: Clock,
        metrics: Metrics,
        prefix: str,
        longest: float,
    ) -> None:
        """`longest` is the longest interval of all buckets: what rests for so long is full."""
        self._redis = redis
        self._clock = clock
        self._prefix = prefix
        self._expiry = math.ceil(longest) + 1
        self._here = MemoryRates(clock)
        self._asking: list[_Asked] = []
        self._running: asyncio.Task[None] | None = None
        self._away_until = float("-inf")
        self._failures = metrics.counter(
            "messaging_user_rates_failures_total",
            "Times that Redis could not say what users may ask, and the node decided alone.",
        )

    async def take(self, user_id: UserId, draws: Draws) -> bool:
        if self._running is None and self._clock.monotonic() < self._away_until:
            return self._here.take_now(user_id, draws)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asking.append((user_id, draws, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="user rates")
        return await answer

    async def _run(self) -> None:
        try:
            while self._asking:
                asking, self._asking = self._asking[:AT_ONCE], self._asking[AT_ONCE:]
                looking = asyncio.ensure_future(self._answers(asking))
                # Whatever goes wrong is for those who ask to know: none may wait for ever.
                await asyncio.wait([looking])
                error = looking.exception()
                for number, (_, _, answer) in enumerate(asking):
                    if answer.done():  # Who asked has gone away.
                        continue
                    if error is not None:
                        answer.set_exception(error)
                    else:
                        answer.set_result(looking.result()[number])
        finally:
            self._running = None

    async def _answers(self, asking: Sequence[_Asked]) -> list[bool]:
        if self._clock.monotonic() >= self._away_until:
            pipeline: Any = self._redis.pipeline(transaction=False)
            for user_id, draws, _ in asking:
                pipeline.execute_command(
                    "EVAL", _TAKE, 1, f"{self._prefix}:{user_id}", self._expiry, *_words(draws)
                )
            try:
                return [bool(each) for each in await pipeline.execute()]
            except REDIS_ERRORS as error:
                log.warning("redis does not say what users may ask", extra={"error": str(error)})
                self._failures.inc()
                self._away_until = self._clock.monotonic() + AWAY_SECONDS
        return [self._here.take_now(user_id, draws) for user_id, draws, _ in asking]


def _words(draws: Draws) -> list[str | float]:
    """Each bucket's name, rate and interval, one after the other."""
    return [
        word
        for name, buckets in draws
        for number, each in enumerate(buckets)
        for word in (f"{name}.{number}", each.rate, each.seconds)
    ]
