"""Presence of one process: whoever is connected is connected here."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from kernel.ids import UserId
from messaging.types import ChannelMember, Presence


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


class MemoryChannelPresence:
    """Who is subscribed in this process. It ends with it, so nothing expires."""

    def __init__(self) -> None:
        self._channels: dict[str, dict[str, ChannelMember]] = defaultdict(dict)

    async def enter(self, entries: Sequence[ChannelMember]) -> None:
        for each in entries:
            self._channels[each.channel][each.client] = each

    async def leave(self, entries: Sequence[ChannelMember]) -> None:
        for each in entries:
            there = self._channels.get(each.channel)
            if there is not None:
                there.pop(each.client, None)
                if not there:
                    del self._channels[each.channel]

    async def renew(self) -> None:
        """Nothing expires."""

    async def members(self, channel: str) -> Mapping[str, ChannelMember]:
        return dict(self._channels.get(channel, {}))

    async def counts(self, channel: str) -> tuple[int, int]:
        there = self._channels.get(channel, {})
        return len(there), len({each.user_id for each in there.values()})
