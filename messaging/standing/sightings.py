"""Writes down who comes to this node and who leaves it, so that it is known when it dies."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from itertools import islice

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.workers import Stop, repeat
from messaging.presence.vanishing import of_dead_node
from messaging.standing.ports import StatusStore
from messaging.standing.statuses import StatusOptions

LOOK_SECONDS = 2.0
"""Rest between two looks at who is there: how exact it is known when somebody left."""

BATCH = 1000


class Sightings:
    """A worker that compares who is there with whom it told of.

    Nobody waits for it, and nothing is written about those who merely stay: the node says
    every few seconds that it lives. Who returns soon has not been away.
    """

    name = "sightings"

    def __init__(
        self,
        store: StatusStore,
        *,
        node_id: str,
        users: Callable[[], Collection[UserId]],
        clock: Clock,
        options: StatusOptions,
    ) -> None:
        self._store = store
        self._node_id = node_id
        self._users = users
        self._clock = clock
        self._options = options
        self._told: set[UserId] = set()
        self._missed: dict[UserId, tuple[datetime, float]] = {}
        """Who is told of but not there any more, since when: the clock's time may jump."""
        self._renewed_at = self._buried_at = float("-inf")

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=LOOK_SECONDS)
        # Whoever was here has been sent away by now.
        while await self._look(linger=0.0):
            pass

    async def step(self) -> int:
        """Write down who came and went; how many."""
        changed = await self._look(linger=self._options.linger_seconds)
        now = self._clock.monotonic()
        if self._told and now - self._renewed_at >= self._options.renew_seconds:
            if not await self._store.renew(self._node_id, self._clock.now()):
                # We were given up for dead, and everybody here with us.
                self._told.clear()
            self._renewed_at = now
        if now - self._buried_at >= self._options.missing_seconds / 2:
            before = self._clock.now() - timedelta(seconds=self._options.missing_seconds)
            buried = await self._store.bury(
                before=before, limit=BATCH, now=self._clock.now(), then=of_dead_node
            )
            if not buried:
                self._buried_at = now
            changed += buried
        return changed

    async def _look(self, *, linger: float) -> int:
        now, moment = self._clock.now(), self._clock.monotonic()
        here = {each for each in self._users() if each}
        for user_id in self._told - here:
            self._missed.setdefault(user_id, (now, moment))
        for user_id in self._missed.keys() & here:
            del self._missed[user_id]
        came = dict.fromkeys(islice(here - self._told, BATCH), now)
        if came:
            await self._store.arrived(self._node_id, came)
            self._told.update(came)
        away = (each for each, (_, since) in self._missed.items() if moment - since >= linger)
        gone = {each: self._missed[each][0] for each in islice(away, BATCH)}
        if gone:
            await self._store.departed(self._node_id, gone)
            for user_id in gone:
                del self._missed[user_id]
            self._told.difference_update(gone)
        return len(came) + len(gone)
