"""How often all connections of a user together may ask, on whatever node they are."""

from typing import Protocol

from kernel.ids import UserId
from kernel.metrics import Metrics
from messaging.connections.rates import REFUSALS, Draws, RateTable
from messaging.protocol.codes import ErrorCode
from messaging.protocol.frames import Request
from messaging.refusals import Declined


class RateStore(Protocol):
    """Keeps what is left in the buckets of users. Those who ask one after the other are answered
    in that order, so that commands do not overtake each other here.
    """

    async def take(self, user_id: UserId, draws: Draws) -> bool:
        """Take one from each bucket if all have one, otherwise nothing; whether they had."""
        ...


class UserRates:
    """Declines commands that come too soon. Nobody in particular has no buckets."""

    def __init__(self, table: RateTable, store: RateStore, *, metrics: Metrics) -> None:
        self._table = table
        self._store = store
        self._refused = metrics.counter(*REFUSALS).labels("user")

    def concern(self, request: Request | None) -> bool:
        """Whether a command takes from any bucket, so that it must wait for the answer."""
        return bool(self._table.draws(request))

    async def demand(self, user_id: UserId | None, request: Request | None) -> None:
        """Count a command. Raises `Declined` with the error that makes clients try again."""
        draws = self._table.draws(request)
        if user_id and draws and not await self._store.take(user_id, draws):
            self._refused.inc()
            raise Declined(ErrorCode.TOO_MANY_REQUESTS)
