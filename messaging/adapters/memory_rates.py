"""Rates of users in one process: where there is no Redis, and while it is away."""

from collections import OrderedDict

from kernel.clock import Clock
from kernel.ids import UserId
from messaging.connections.rates import Draws, Spent, take

REMEMBERED = 50_000
"""Users remembered at once; beyond that, who was quiet for longest starts afresh."""


class MemoryRates:
    """Fulfils `RateStore`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._users: OrderedDict[UserId, Spent] = OrderedDict()

    async def take(self, user_id: UserId, draws: Draws) -> bool:
        return self.take_now(user_id, draws)

    def take_now(self, user_id: UserId, draws: Draws) -> bool:
        """The same without waiting."""
        spent = self._users.get(user_id)
        if spent is None:
            if len(self._users) >= REMEMBERED:
                self._users.popitem(last=False)
            spent = self._users[user_id] = {}
        else:
            self._users.move_to_end(user_id)
        return take(spent, draws, self._clock.monotonic()) == 0.0
