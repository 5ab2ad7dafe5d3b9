"""Presence of a cluster, in Redis: who is connected, and who is subscribed to a channel."""

from collections.abc import Mapping, Sequence

import msgspec
from redis.asyncio import Redis, RedisCluster

from kernel.ids import UserId
from messaging.adapters.living_hashes import Address, LivingHashes
from messaging.types import ChannelMember, Presence


class RedisPresence:
    """A hash per user, with a connection in each field. One instance in every process."""

    def __init__(
        self,
        redis: "Redis | RedisCluster",
        *,
        ttl_seconds: float,
        prefix: str = "zaffa:presence:user",
    ) -> None:
        self._hashes = LivingHashes(redis, ttl_seconds=ttl_seconds, prefix=prefix)

    async def enter(self, connections: Sequence[Presence]) -> None:
        await self._hashes.put({(c.user_id, c.client): c.info or b"" for c in connections})

    async def leave(self, connections: Sequence[Presence]) -> None:
        await self._hashes.remove([(each.user_id, each.client) for each in connections])

    async def renew(self) -> None:
        await self._hashes.renew()

    async def present(self, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        clients = await self._hashes.names(user_ids)
        return frozenset(user_id for user_id, c in zip(user_ids, clients, strict=True) if c)

    async def connections(self, user_ids: Sequence[UserId]) -> Mapping[str, Presence]:
        wanted = list(dict.fromkeys(user_ids))
        found = zip(wanted, await self._hashes.entries(wanted), strict=True)
        return {
            client: Presence(user_id, client, info or None)
            for user_id, entries in found
            for client, info in entries.items()
        }


class _Infos(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a subscription: what others may see of its connection, and of it."""

    conn: msgspec.Raw
    chan: msgspec.Raw


_decoder = msgspec.json.Decoder(_Infos)
_NULL = b"null"


class RedisChannelPresence:
    """A hash per channel, with a client and its user in each field: counting reads no infos."""

    def __init__(
        self,
        redis: "Redis | RedisCluster",
        *,
        ttl_seconds: float,
        prefix: str = "zaffa:presence:channel",
    ) -> None:
        self._hashes = LivingHashes(redis, ttl_seconds=ttl_seconds, prefix=prefix)

    async def enter(self, entries: Sequence[ChannelMember]) -> None:
        await self._hashes.put({_address(each): _entry(each) for each in entries})

    async def leave(self, entries: Sequence[ChannelMember]) -> None:
        await self._hashes.remove([_address(each) for each in entries])

    async def renew(self) -> None:
        await self._hashes.renew()

    async def members(self, channel: str) -> Mapping[str, ChannelMember]:
        [entries] = await self._hashes.entries([channel])
        found = [_member(channel, name, entry) for name, entry in entries.items()]
        return {each.client: each for each in found}

    async def counts(self, channel: str) -> tuple[int, int]:
        [names] = await self._hashes.names([channel])
        return len(names), len({name.partition("\0")[2] for name in names})


def _address(member: ChannelMember) -> Address:
    return member.channel, f"{member.client}\0{member.user_id}"


def _entry(member: ChannelMember) -> bytes:
    if member.conn_info is None and member.chan_info is None:
        return b""
    conn, chan = member.conn_info or _NULL, member.chan_info or _NULL
    return msgspec.json.encode(_Infos(msgspec.Raw(conn), msgspec.Raw(chan)))


def _member(channel: str, name: str, entry: bytes) -> ChannelMember:
    client, _, user_id = name.partition("\0")
    if not entry:
        return ChannelMember(channel, client, UserId(user_id))
    infos = _decoder.decode(entry)
    conn, chan = bytes(infos.conn), bytes(infos.chan)
    return ChannelMember(
        channel,
        client,
        UserId(user_id),
        conn_info=None if conn == _NULL else conn,
        chan_info=None if chan == _NULL else chan,
    )
