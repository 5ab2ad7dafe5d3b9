"""The buckets of sends in Redis, so that all nodes together keep to them."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from redis.asyncio import Redis, RedisCluster

from kernel.adapters.redis_client import REDIS_ERRORS
from kernel.clock import Clock
from kernel.ids import UserId
from notifications.sends.limits import Excess, Limit, LocalLimits, SendOptions

log = logging.getLogger(__name__)

WITHIN = 0.5
"""Seconds in which Redis must answer: a server waits for it."""

AWAY = 5.0
"""Seconds for which Redis is left alone after it did not answer."""

KEYS_AT_ONCE = 2_000
"""Users in one script, unless a single send has more."""

# Each bucket is one instant: when it will be full again. What is too much takes nothing.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local every, full = tonumber(ARGV[1]), tonumber(ARGV[2])
local of_key, key_full = tonumber(ARGV[3]), tonumber(ARGV[4])
local function filled(key)
  return math.max(now, tonumber(redis.call('HMGET', key, 'at')[1] or now))
end
local function keep(key, at)
  if at > now then
    redis.call('HSET', key, 'at', string.format('%.6f', at))
    redis.call('PEXPIRE', key, math.ceil((at - now) * 1000) + 1000)
  end
end
local answers, last = {}, 1
for send = 5, #ARGV do
  local users, wait, who = tonumber(ARGV[send]), 0, 0
  local cost = math.max(1, users) * of_key
  local at = of_key > 0 and filled(KEYS[1]) + cost or now
  if at - now > math.max(key_full, cost) then wait = at - now - math.max(key_full, cost) end
  local ats = {}
  if wait == 0 and every > 0 then
    for user = 1, users do
      ats[user] = filled(KEYS[last + user]) + every
      if ats[user] - now > full then wait, who = ats[user] - now - full, user break end
    end
  end
  if wait == 0 then
    if of_key > 0 then keep(KEYS[1], at) end
    for user, one in ipairs(ats) do keep(KEYS[last + user], one) end
  end
  answers[#answers + 1] = {who, string.format('%.6f', wait)}
  last = last + users
end
return answers
"""


class RedisSendLimits:
    """Fulfils `SendLimits`. While Redis is away each node keeps to the limits by itself."""

    def __init__(
        self,
        redis: "Redis | RedisCluster",
        *,
        options: SendOptions,
        prefix: str,
        clock: Clock,
        within: float = WITHIN,
    ) -> None:
        self._redis: Any = redis
        self._options = options
        self._prefix = prefix
        self._clock = clock
        self._local = LocalLimits(options, clock=clock)
        self._within = within
        self._away_until = float("-inf")

    async def take(
        self, key_id: UUID, sends: Sequence[Sequence[UserId]]
    ) -> Sequence[Excess | None]:
        found: list[Excess | None] = []
        for some in _portions(sends):
            answers = await self._ask(key_id, some)
            if answers is None:
                found += await self._local.take(key_id, some)
            else:
                found += [_excess(users, *said) for users, said in zip(some, answers, strict=True)]
        return found

    async def _ask(self, key_id: UUID, sends: Sequence[Sequence[UserId]]) -> Any:
        """What the script says of each send, or None while Redis is away."""
        if self._clock.monotonic() < self._away_until:
            return None
        options = self._options
        every = 60.0 / options.user_per_minute if options.user_per_minute else 0.0
        of_key = 1.0 / options.key_per_second if options.key_per_second else 0.0
        # In braces, so that all are in one slot of a cluster.
        prefix = f"{self._prefix}:{{all}}"
        keys = [f"{prefix}:key:{key_id}"]
        keys += (f"{prefix}:user:{user_id}" for users in sends for user_id in users)
        words = (every, max(60.0, every), of_key, options.key_burst * of_key)
        try:
            async with asyncio.timeout(self._within):
                return await self._redis.eval(
                    _TAKE, len(keys), *keys, *words, *(len(users) for users in sends)
                )
        except (*REDIS_ERRORS, TimeoutError) as error:
            log.warning("redis does not keep the limits of sends", extra={"error": str(error)})
            self._away_until = self._clock.monotonic() + AWAY
            return None


def _portions(sends: Sequence[Sequence[UserId]]) -> Iterator[Sequence[Sequence[UserId]]]:
    portion: list[Sequence[UserId]] = []
    users = 0
    for each in sends:
        if portion and users + len(each) > KEYS_AT_ONCE:
            yield portion
            portion, users = [], 0
        portion.append(each)
        users += len(each)
    if portion:
        yield portion


def _excess(users: Sequence[UserId], who: int, wait: bytes | str) -> Excess | None:
    seconds = float(wait)
    if not seconds:
        return None
    return Excess(Limit.USER, seconds, users[who - 1]) if who else Excess(Limit.KEY, seconds)
