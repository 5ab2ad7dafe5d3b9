"""redis-py's client for whatever the options name: one server, Sentinel or a Redis Cluster."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from kernel.adapters.redis_address import Setup
from kernel.adapters.redis_options import RedisOptions

REDIS_ERRORS = (RedisError, RedisClusterException, OSError)
"""What redis-py raises when Redis is away or says no."""

AT_ONCE = 1000
"""Commands in one pipeline, at most."""

Command = tuple[Any, ...]
"""A command's name, its key, and other words."""


class RedisClient:
    """Does no I/O until it is used."""

    def __init__(self, options: RedisOptions) -> None:
        address = options.address
        self._sentinel: Sentinel | None = None
        common: dict[str, Any] = {
            "username": address.user or None,
            "password": address.password or None,
            "socket_timeout": options.timeout_seconds,
            "socket_connect_timeout": options.timeout_seconds,
            # Once more, because a server may have closed a connection that was idle. Whoever
            # asks knows better than this what to do when Redis is away.
            "retry": Retry(NoBackoff(), 1),
        }
        secured = _secured(options)
        self.redis: Redis | RedisCluster
        if address.setup is Setup.CLUSTER:
            nodes = [ClusterNode(host, port) for host, port in address.endpoints]
            # A shard that is away takes its own keys with it, not everybody's. What the client
            # would do to repeat a command closes the connections to all of them.
            common["retry"] = Retry(NoBackoff(), 0)
            self.redis = RedisCluster(
                startup_nodes=nodes, require_full_coverage=False, **common, **secured
            )
        elif address.setup is Setup.SENTINEL:
            asking = {
                **common,
                "username": options.sentinel_user or None,
                "password": options.sentinel_password or None,
                # Another sentinel knows as well as one that is away.
                "retry": Retry(NoBackoff(), 0),
                **secured,
            }
            made = Sentinel(  # type: ignore[no-untyped-call]
                address.endpoints, sentinel_kwargs=asking
            )
            self._sentinel = made
            self.redis = made.master_for(address.master, db=address.database, **common, **secured)
        else:
            [endpoint] = address.endpoints
            where: dict[str, Any] = {"host": endpoint.host, "port": endpoint.port}
            if not endpoint.port:
                where = {"unix_socket_path": endpoint.host}
            self.redis = Redis(db=address.database, **where, **common, **secured)

    async def close(self) -> None:
        """Close every connection."""
        await self.redis.aclose()
        if self._sentinel is not None:
            for sentinel in self._sentinel.sentinels:
                await sentinel.aclose()


async def answers_to(
    redis: "Redis | RedisCluster", commands: Sequence[Command], *, within: float
) -> list[Any]:
    """What each command is answered, or the exception that stands for its answer.

    All servers are asked at the same time and apart, so one that is away disturbs only those
    commands whose keys it has. A command's first word after its name is its key.
    """
    answers: list[Any] = [None] * len(commands)
    places: dict[ClusterNode | None, list[int]] = defaultdict(list)
    if isinstance(redis, RedisCluster):
        try:
            async with asyncio.timeout(within):
                await redis.initialize()
        except (*REDIS_ERRORS, TimeoutError) as error:
            return [error] * len(commands)
        for number, command in enumerate(commands):
            try:
                node = redis.get_node_from_key(command[1])
            except RedisClusterException as error:
                answers[number] = error
            else:
                places[node].append(number)
    else:
        places[None].extend(range(len(commands)))
    asking = [_ask(redis, commands, some, answers, within) for some in places.values()]
    took = await asyncio.gather(*asking)
    silent = [
        node.name for node, all_well in zip(places, took, strict=True) if node and not all_well
    ]
    if isinstance(redis, RedisCluster) and silent:
        # Another server may have these keys by now; whoever asks again finds it.
        with suppress(*REDIS_ERRORS, TimeoutError):
            async with asyncio.timeout(within):
                await redis.nodes_manager.initialize(last_failed_node_name=silent[0])
    return answers


async def _ask(
    redis: "Redis | RedisCluster",
    commands: Sequence[Command],
    numbers: Sequence[int],
    answers: list[Any],
    within: float,
) -> bool:
    """Have one server answer its commands; whether it did."""
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        pipeline: Any = redis.pipeline(transaction=False)
        for number in some:
            pipeline.execute_command(*commands[number])
        told: Sequence[Any]
        try:
            async with asyncio.timeout(within):
                told = await pipeline.execute(raise_on_error=False)
        except (*REDIS_ERRORS, TimeoutError) as error:
            told = [error] * len(some)
        for number, answer in zip(some, told, strict=True):
            answers[number] = answer
    return not any(isinstance(answers[number], Exception) for number in numbers)


def _secured(options: RedisOptions) -> dict[str, Any]:
    """What makes redis-py speak TLS, if the URL says so."""
    if not options.address.tls:
        return {}
    return {
        "ssl": True,
        "ssl_ca_certs": options.tls_ca or None,
        "ssl_certfile": options.tls_certificate or None,
        "ssl_keyfile": options.tls_key or None,
        "ssl_check_hostname": options.tls_check_hostname,
    }
