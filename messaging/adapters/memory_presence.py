"""Presence of one process: whoever is connected is connected here."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from kernel.ids import UserId
from messaging.types import Presence


class MemoryPresence:
    """For the embedded house, and for tests. It ends with the process, so nothing expires."""

    def __init__(self) -> None:
        self._connections: dict[UserId, dict[str, Presence]] = defaultdict(dict)

    async def enter(self, connections: Sequence[Presence]) -> None:
        for each in connections:
            self._connections[each.user_id][each.client] = each

    async def leave(self, connections: Sequence[Presence]) -> None:
        for each in connections:
            there = self._connections.get(each.user_id)
            if there is not None:
                there.pop(each.client, None)
                if not there:
                    del self._connections[each.user_id]

    async def renew(self) -> None:
        """Nothing expires."""

    async def present(self, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        return frozenset(filter(self._connections.__contains__, user_ids))

    async def connections(self, user_ids: Sequence[UserId]) -> Mapping[str, Presence]:
        return {
            client: presence
            for user_id in dict.fromkeys(user_ids)
            for client, presence in self._connections.get(user_id, {}).items()
        }
