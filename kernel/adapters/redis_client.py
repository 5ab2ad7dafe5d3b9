"""redis-py's client for whatever the options name: one server, Sentinel or a Redis Cluster."""

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
            # A shard that is away takes its own keys with it, not everybody's.
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
