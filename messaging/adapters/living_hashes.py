"""Entries of living nodes in Redis: they vanish with their node, and come back after a flush.

An entry belongs to a group, say a user, and is there while its node is. A node that dies takes
all its entries with it within seconds; a living one renews as many keys as there are
partitions, however many entries it has.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import uuid4
from zlib import crc32

from redis.asyncio import Redis, RedisCluster

from kernel.adapters.redis_client import Command, answers_to
from kernel.errors import Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

PARTITIONS = 64
"""Groups are spread over so many hash tags. A shard of a Redis Cluster that forgot everything
is noticed, because every partition has a sign of life of its own."""

BATCH = 1000
"""Words in one command, at most. Even: words come in pairs."""

Address = tuple[str, str]
"""A group, and the name of an entry in it."""


class LivingHashes:
    """Give every process an instance of its own: each is a node of its own name.

    Keys: `<prefix>:{<partition>}:<group>`, a hash of life and name to entry;
    `<prefix>:{<partition>}@<life>`, there as long as the node lives. A node that was given up
    comes back under a new life, so what others remove of the old one is never its.
    """

    def __init__(self, redis: "Redis | RedisCluster", *, ttl_seconds: float, prefix: str) -> None:
        self._redis = redis
        self._ttl = int(ttl_seconds * 1000)
        # A hash is written anew once in a round of all partitions; without that it expires.
        self._keep = 2 * PARTITIONS * self._ttl
        self._prefix = prefix
        self._lives = [_new_life() for _ in range(PARTITIONS)]
        self._mine: list[dict[Address, bytes]] = [{} for _ in range(PARTITIONS)]
        self._round = 0
        # A removal must not be overtaken by a `renew` that tells what it remembers.
        self._writing = asyncio.Lock()
        self._doubtful: set[int] = set()

    async def put(self, entries: Mapping[Address, bytes]) -> None:
        """These belong to this node from now on. What cannot be told now is told by `renew`."""
        for address, entry in entries.items():
            self._mine[_partition_of(address[0])][address] = entry
        async with self._writing:
            await self._write(self._puts(entries))

    async def remove(self, addresses: Collection[Address]) -> None:
        """These are over, if they were there."""
        for address in addresses:
            self._mine[_partition_of(address[0])].pop(address, None)
        async with self._writing:
            await self._write(self._removals(addresses))

    async def renew(self) -> None:
        """Say that this node is there, and tell everything again where it was forgotten.

        Raises `Unavailable` when nobody hears it.
        """
        async with self._writing:
            renewed = [number for number in range(PARTITIONS) if number not in self._doubtful]
            lives = [self._life_key(number, self._lives[number]) for number in renewed]
            answers = await self._ask([("PEXPIRE", key, self._ttl) for key in lives])
            failures = [each for each in answers if isinstance(each, Exception)]
            if failures and len(failures) == len(answers):
                raise _away(failures[0])
            # A partition that was away has no life to renew, or nobody knows what it was told.
            forgotten = {
                number
                for number, alive in zip(renewed, answers, strict=True)
                if not isinstance(alive, Exception) and not alive
            }
            forgotten |= self._doubtful
            self._doubtful.clear()
            for number in forgotten:
                self._lives[number] = _new_life()
            lives = [self._life_key(number, self._lives[number]) for number in forgotten]
            # Single writes that a failover lost are made up for within a round.
            self._round = (self._round + 1) % PARTITIONS
            again = [entry for n in forgotten | {self._round} for entry in self._mine[n].items()]
            commands: list[Command] = [("SET", key, "1", "PX", self._ttl) for key in lives]
            await self._write([*commands, *self._puts(dict(again))])

    async def entries(self, groups: Sequence[str]) -> list[dict[str, bytes]]:
        """The entries of each of these groups, by name."""
        hashes = await self._read([("HGETALL", self._key(each)) for each in groups])
        pairs = [_pairs(each) for each in hashes]
        kept = await self._kept(groups, [[field for field, _ in each] for each in pairs])
        return [
            {names[field]: entry for field, entry in each if field in names}
            for names, each in zip(kept, pairs, strict=True)
        ]

    async def names(self, groups: Sequence[str]) -> list[list[str]]:
        """The names of the entries of each of these groups."""
        hashes = await self._read([("HKEYS", self._key(each)) for each in groups])
        return [list(dict.fromkeys(each.values())) for each in await self._kept(groups, hashes)]

    async def _kept(
        self, groups: Sequence[str], fields: Sequence[Sequence[bytes]]
    ) -> list[dict[bytes, str]]:
        """The names in these fields whose nodes live; fields of the dead are removed."""
        found: list[list[tuple[bytes, str, str]]] = []
        for group, each in zip(groups, fields, strict=True):
            split = ((field, field.decode().partition("\0")) for field in each)
            partition = _partition_of(group)
            found.append(
                [(field, self._life_key(partition, life), name) for field, (life, _, name) in split]
            )
        lives = list({life for each in found for _, life, _ in each})
        answers = await self._read([("EXISTS", life) for life in lives])
        alive = {life for life, answer in zip(lives, answers, strict=True) if answer}
        await self._ask(
            [
                ("HDEL", self._key(group), *some)
                for group, each in zip(groups, found, strict=True)
                for some in _batches([field for field, life, _ in each if life not in alive])
            ]
        )
        return [{field: name for field, life, name in each if life in alive} for each in found]

    def _puts(self, entries: Mapping[Address, bytes]) -> list[Command]:
        words: dict[str, list[str | bytes]] = defaultdict(list)
        for (group, name), entry in entries.items():
            words[group] += (self._field(group, name), entry)
        commands: list[Command] = []
        for group, each in words.items():
            commands += [("HSET", self._key(group), *some) for some in _batches(each)]
            commands.append(("PEXPIRE", self._key(group), self._keep))
        return commands

    def _removals(self, addresses: Collection[Address]) -> list[Command]:
        fields: dict[str, list[str]] = defaultdict(list)
        for group, name in addresses:
            fields[group].append(self._field(group, name))
        return [
            ("HDEL", self._key(group), *some)
            for group, each in fields.items()
            for some in _batches(each)
        ]

    async def _write(self, commands: Sequence[Command]) -> None:
        """Carry out all of it; what a server does not take is told again by `renew`."""
        # Where something is amiss already, everything is told again.
        commands = [each for each in commands if self._partition_in(each[1]) not in self._doubtful]
        answers = await self._ask(commands)
        refused = {
            self._partition_in(command[1]): answer
            for command, answer in zip(commands, answers, strict=True)
            if isinstance(answer, Exception)
        }
        if refused:
            self._doubtful |= refused.keys()
            error = next(iter(refused.values()))
            extra = {"partitions": len(refused), "error": str(error) or repr(error)}
            log.warning("redis does not take who is present", extra=extra)

    async def _read(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to all of them. Raises `Unavailable`."""
        answers = await answers_to(self._redis, commands, within=self._ttl / 3000)
        for answer in answers:
            if isinstance(answer, Exception):
                raise _away(answer)
        return answers

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        # So much less than a life that the others are renewed in time while one server is away.
        return await answers_to(self._redis, commands, within=self._ttl / 6000)

    def _field(self, group: str, name: str) -> str:
        return f"{self._lives[_partition_of(group)]}\0{name}"

    def _key(self, group: str) -> str:
        return f"{self._prefix}:{{{_partition_of(group)}}}:{group}"

    def _partition_in(self, key: str) -> int:
        return int(key[len(self._prefix) + 2 :].partition("}")[0])

    def _life_key(self, partition: int, life: str) -> str:
        return f"{self._prefix}:{{{partition}}}@{life}"


def _away(error: Exception) -> Unavailable:
    return Unavailable("Redis cannot tell who is present.", reason=str(error) or repr(error))


def _new_life() -> str:
    return uuid4().hex[:16]


def _partition_of(group: str) -> int:
    return crc32(group.encode()) % PARTITIONS


def _batches(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), BATCH):
        yield things[start : start + BATCH]


def _pairs(entries: Any) -> list[tuple[bytes, bytes]]:
    """Fields and values of a hash: redis-py gives a dict, or a flat list in raw commands."""
    if isinstance(entries, dict):
        return list(entries.items())
    return list(zip(entries[::2], entries[1::2], strict=True))
