"""How much may be asked at once: token buckets of each API key and of each user who is told."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.limits import TokenBucket
from kernel.options import option

REMEMBERED = 100_000
"""Users whose buckets one process keeps; who was quiet for longest starts afresh."""


class Limit(StrEnum):
    """Which limit was met."""

    KEY = "key"
    """Users that one API key has told in a second."""
    USER = "user"
    """Sends to one user in a minute."""


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How much servers may have sent. Every limit is a bucket that is refilled all the time."""

    key_per_second: float = option(
        0.0, "Users that one API key may have told in a second; a list is one. 0 is any number."
    )
    key_burst: float = option(
        10_000.0, "So many at once. A larger send waits for a full bucket, and then is taken."
    )
    user_per_minute: float = option(
        1_000.0,
        "Sends to one user in a minute, and at once; FCM takes 240 a minute for a device. 0 is"
        " any number.",
    )

    def __post_init__(self) -> None:
        for name in ("key_per_second", "user_per_minute"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be below 0")
        if self.key_burst < 1:
            raise ValueError("key_burst must be at least 1")


@dataclass(frozen=True, slots=True)
class Excess:
    """Why a send is too much now, and after how many seconds it is not."""

    limit: Limit
    retry_after: float
    user_id: UserId | None = None


class LocalLimits:
    """Fulfils `SendLimits` for one process, and while Redis is away."""

    def __init__(self, options: SendOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._keys: dict[UUID, TokenBucket] = {}
        self._users: OrderedDict[UserId, TokenBucket] = OrderedDict()

    async def take(
        self, key_id: UUID, sends: Sequence[Sequence[UserId]]
    ) -> Sequence[Excess | None]:
        now = self._clock.monotonic()
        return [self._one(key_id, users, now) for users in sends]

    def _one(self, key_id: UUID, users: Sequence[UserId], now: float) -> Excess | None:
        """Nothing is taken of a send that is too much."""
        cost = float(max(1, len(users)))
        key = self._of_key(key_id, now)
        if key is not None and (wait := key.wait(now, cost)) > 0:
            return Excess(Limit.KEY, wait)
        buckets = [self._of_user(each, now) for each in users] if self._per_user else []
        for user_id, bucket in zip(users, buckets, strict=False):
            if (wait := bucket.wait(now)) > 0:
                return Excess(Limit.USER, wait, user_id)
        for bucket in buckets:
            bucket.take(now)
        if key is not None:
            key.take(now, cost)
        return None

    @property
    def _per_user(self) -> float:
        return self._options.user_per_minute

    def _of_key(self, key_id: UUID, now: float) -> TokenBucket | None:
        rate = self._options.key_per_second
        if not rate:
            return None
        if key_id not in self._keys:
            self._keys[key_id] = TokenBucket(rate, self._options.key_burst, at=now)
        return self._keys[key_id]

    def _of_user(self, user_id: UserId, now: float) -> TokenBucket:
        bucket = self._users.get(user_id)
        if bucket is None:
            if len(self._users) >= REMEMBERED:
                self._users.popitem(last=False)
            bucket = TokenBucket(self._per_user / 60.0, max(1.0, self._per_user), at=now)
            self._users[user_id] = bucket
        else:
            self._users.move_to_end(user_id)
        return bucket
