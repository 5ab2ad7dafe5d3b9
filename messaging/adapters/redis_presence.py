"""Presence of a cluster, in Redis: a hash per user, and a sign of life per node.

A connection is there when its node is. So a node that dies takes all its users with it within
seconds, and a living one renews a single key, however many connections it has.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import uuid4

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.ids import UserId
from messaging.types import Presence

KEEP = timedelta(hours=1)
"""Users' hashes expire by themselves; a node touches those of its users twice as often."""

BATCH = 1000
"""Commands in one pipeline, at most."""


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a connection, under its client id."""

    node: str
    info: msgspec.Raw = msgspec.Raw(b"null")


_decoder = msgspec.json.Decoder(_Entry)


class RedisPresence:
    """Give every process an instance of its own: each is a node of its own name.

    Keys: `<prefix>:user:<user>`, a hash of client id to entry; `<prefix>:node:<node>`, there as
    long as the node lives. No command touches two keys, so Redis Cluster serves as well.
    """

    def __init__(
        self, redis: "Redis", *, clock: Clock, ttl_seconds: float, prefix: str = "zaffa:presence"
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._ttl = int(ttl_seconds * 1000)
        self._prefix = prefix
        self._node = uuid4().hex
        self._mine: dict[str, Presence] = {}
        self._touched_at = clock.monotonic()

    async def enter(self, connections: Sequence[Presence]) -> None:
        self._mine.update((each.client, each) for each in connections)
        await self._write(connections)

    async def leave(self, connections: Sequence[Presence]) -> None:
        for each in connections:
            self._mine.pop(each.client, None)
        await self._pipeline(
            [("HDEL", self._user_key(each.user_id), each.client) for each in connections]
        )

    async def renew(self) -> None:
        alive = ("SET", self._node_key(self._node), "1", "PX", self._ttl, "GET")
        [before] = await self._pipeline([alive])
        if before is None and self._mine:
            # We were given up, or Redis lost everything: others may have forgotten us.
            await self._write(list(self._mine.values()))
        now = self._clock.monotonic()
        if now - self._touched_at > KEEP.total_seconds() / 2:
            self._touched_at = now
            users = dict.fromkeys(each.user_id for each in self._mine.values())
            await self._pipeline([self._expiry(user_id) for user_id in users])

    async def present(self, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        connections = await self.connections(user_ids)
        return frozenset(each.user_id for each in connections.values())

    async def connections(self, user_ids: Sequence[UserId]) -> Mapping[str, Presence]:
        wanted = list(dict.fromkeys(user_ids))
        hashes = await self._pipeline([("HGETALL", self._user_key(each)) for each in wanted])
        found = [
            (user_id, client.decode(), _decoder.decode(entry))
            for user_id, entries in zip(wanted, hashes, strict=True)
            for client, entry in _pairs(entries)
        ]
        nodes = list({entry.node for _, _, entry in found})
        lives = await self._pipeline([("EXISTS", self._node_key(node)) for node in nodes])
        alive = {node for node, lives_on in zip(nodes, lives, strict=True) if lives_on}
        await self._pipeline(
            [
                ("HDEL", self._user_key(user_id), client)
                for user_id, client, entry in found
                if entry.node not in alive
            ]
        )
        return {
            client: Presence(user_id, client, _info(entry))
            for user_id, client, entry in found
            if entry.node in alive
        }

    async def _write(self, connections: Sequence[Presence]) -> None:
        commands: list[tuple[Any, ...]] = []
        for each in connections:
            entry = _Entry(self._node, msgspec.Raw(each.info or b"null"))
            key = self._user_key(each.user_id)
            commands.append(("HSET", key, each.client, msgspec.json.encode(entry)))
            commands.append(self._expiry(each.user_id))
        await self._pipeline(commands)

    def _expiry(self, user_id: UserId) -> tuple[Any, ...]:
        return ("EXPIRE", self._user_key(user_id), int(KEEP.total_seconds()))

    async def _pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send all of them in a few round trips. Raises `Unavailable`."""
        answers: list[Any] = []
        waiting = iter(commands)
        while batch := list(islice(waiting, BATCH)):
            pipeline = self._redis.pipeline(transaction=False)
            for command in batch:
                pipeline.execute_command(*command)
            try:
                answers += await pipeline.execute()
            except (RedisError, OSError) as error:
                raise Unavailable("Redis cannot tell who is present.") from error
        return answers

    def _user_key(self, user_id: UserId) -> str:
        return f"{self._prefix}:user:{user_id}"

    def _node_key(self, node: str) -> str:
        return f"{self._prefix}:node:{node}"


def _pairs(entries: Any) -> list[tuple[bytes, bytes]]:
    """Fields and values of a hash: redis-py gives a dict, or a flat list in raw commands."""
    if isinstance(entries, dict):
        return list(entries.items())
    return list(zip(entries[::2], entries[1::2], strict=True))


def _info(entry: _Entry) -> bytes | None:
    info = bytes(entry.info)
    return None if info == b"null" else info
