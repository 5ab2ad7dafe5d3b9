"""Valkey as operators run it: alone, a cluster, or behind Sentinel."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.support.servers import HOST, ValkeyServer, free_port, running

PATIENCE = 20.0
SLOTS = 16_384

WATCHWORD = "watch:word"
"""What the sentinel asks for."""

RIGHTS = (
    "~zaffa:* &zaffa:* +ping +publish +subscribe +unsubscribe "
    "+spublish +ssubscribe +sunsubscribe +cluster|slots +command "
    "+hset +hdel +hgetall +hkeys +set +exists +pexpire +eval +time +hmget +expire"
)
"""What our user of the access list needs, as docs/operations.md says; tests need more."""


SETUPS = ("valkey", "cluster", "sentinel", "secured")
"""Every way to have Redis."""


def given_by(request: pytest.FixtureRequest, setup: str) -> dict[str, Any]:
    """The options that lead to one of `SETUPS`."""
    if setup == "valkey":
        return {"url": request.getfixturevalue("valkey_url")}
    if setup == "cluster":
        return {"url": request.getfixturevalue("valkey_cluster").url}
    options: dict[str, Any] = request.getfixturevalue(f"{setup}_valkey").options
    return options


def until(true: Callable[[], object]) -> None:
    """Wait until something is so; a server that does not answer yet is no answer."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(RedisError, OSError):
            if true():
                return
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.02)


@contextmanager
def admin(server: ValkeyServer) -> Iterator["Redis"]:
    """A client for what only tests do, outside of any event loop."""
    client = Redis(HOST, server.port, socket_timeout=5)
    try:
        yield client
    finally:
        client.close()


class ClusterServer(ValkeyServer):
    """One server of a cluster, which takes a failover within two seconds."""

    def __init__(self, **more: str) -> None:
        self.cluster_port = free_port()
        super().__init__(
            settings={
                **more,
                "cluster-enabled": "yes",
                "cluster-port": str(self.cluster_port),
                "cluster-node-timeout": "800",
                "cluster-replica-validity-factor": "0",
                "cluster-require-full-coverage": "no",
                "repl-diskless-sync-delay": "0",
            }
        )


@dataclass(frozen=True, slots=True)
class ValkeyCluster:
    """Three primaries; the first has as many replicas as asked for."""

    primaries: Sequence[ClusterServer]
    replicas: Sequence[ClusterServer]

    @classmethod
    @contextmanager
    def start(cls, *, replicas: int = 0) -> Iterator[Self]:
        with ExitStack() as opened:
            servers = [opened.enter_context(running(ClusterServer())) for _ in range(3 + replicas)]
            cluster = cls(servers[:3], servers[3:])
            cluster.join()
            yield cluster

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{HOST}:{each.port}" for each in self.primaries)

    def primary_of(self, slot: int) -> ClusterServer:
        """Who was given this slot in the beginning."""
        return self.primaries[next(n for n in range(3) if slot < _border(n + 1))]

    def move(self, slot: int, *, to: ClusterServer) -> None:
        """Give a slot without keys to another primary, as resharding does.

        Who takes over what it imports claims it with a new epoch. Without one, word of the old
        owner that was under way takes it back, and each sends everybody to the other.
        """
        others = [each for each in self.primaries if each is not to]
        with admin(others[0]) as client:
            old = client.execute_command("CLUSTER MYID")
        with admin(to) as client:
            new = client.execute_command("CLUSTER MYID")
            client.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", old)
        for each in (to, *others):
            with admin(each) as client:
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", new)

    def join(self) -> None:
        """Make one cluster of servers that do not know each other."""
        everybody = (*self.primaries, *self.replicas)
        first = self.primaries[0]
        for number, each in enumerate(everybody):
            with admin(each) as client:
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                if each in self.primaries:
                    slots = _border(number), _border(number + 1) - 1
                    client.execute_command("CLUSTER ADDSLOTSRANGE", *slots)
                if each is not first:
                    client.execute_command("CLUSTER MEET", HOST, first.port, first.cluster_port)
        until(lambda: all(_sees(each, len(everybody)) for each in everybody))
        with admin(first) as client:
            leader = client.execute_command("CLUSTER MYID")
        for each in self.replicas:
            with admin(each) as client:
                client.execute_command("CLUSTER REPLICATE", leader)
        until(lambda: all(_follows(each) for each in self.replicas))


def _border(part: int) -> int:
    """Where the slots of one of three primaries begin."""
    return -(-SLOTS * part // 3)


def _sees(server: ValkeyServer, nodes: int) -> bool:
    with admin(server) as client:
        told = client.execute_command("CLUSTER INFO")
        return told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == nodes


def _follows(server: ValkeyServer) -> bool:
    with admin(server) as client:
        return client.info("replication")["master_link_status"] == "up"


class SentinelServer(ValkeyServer):
    """One sentinel, which is enough of them to agree."""

    def __init__(self, *, master: str, port: int, password: str, patience_ms: int) -> None:
        super().__init__(
            settings={
                "sentinel monitor": f"{master} {HOST} {port} 1",
                "sentinel down-after-milliseconds": f"{master} {patience_ms}",
                "sentinel failover-timeout": f"{master} 2000",
            },
            password=password,
        )

    def _command(self) -> list[str | Path]:
        file = self._directory / "sentinel.conf"
        if not file.exists():
            about = {name: value for name, value in self._settings.items() if value}
            lines = [f"port {self.port}", f"bind {HOST}", f"dir {self._directory}"]
            lines += [f"{name} {value}" for name, value in about.items()]
            file.write_text("\n".join(lines) + "\n")
        return [self._binary, file, "--sentinel"]


@dataclass(frozen=True, slots=True)
class ValkeySentinel:
    """A master, its replica, and a sentinel that asks for a password of its own."""

    master: ValkeyServer
    replica: ValkeyServer
    sentinel: SentinelServer

    @classmethod
    @contextmanager
    def start(
        cls, *, patience_ms: int, front: Callable[[int], int] = lambda port: port
    ) -> Iterator[Self]:
        """`patience_ms` is after how long a silent master is replaced.

        `front` is given the master's port, and gives the one where the sentinel finds it.
        """
        settings = {"repl-diskless-sync-delay": "0"}
        with running(ValkeyServer(settings=settings)) as master:
            follows = {**settings, "replicaof": f"{HOST} {master.port}"}
            with running(ValkeyServer(settings=follows)) as replica:
                until(lambda: _follows(replica))
                sentinel = SentinelServer(
                    master="wedding",
                    port=front(master.port),
                    password=WATCHWORD,
                    patience_ms=patience_ms,
                )
                with running(sentinel):
                    made = cls(master, replica, sentinel)
                    until(made.knows_the_replica)
                    yield made

    @property
    def options(self) -> dict[str, Any]:
        return {
            "url": f"redis+sentinel://127.0.0.1:{free_port()},{HOST}:{self.sentinel.port}/wedding",
            "sentinel_password": WATCHWORD,
        }

    def knows_the_replica(self) -> bool:
        """Whether the sentinel could promote it."""
        client = Redis(HOST, self.sentinel.port, password=WATCHWORD, socket_timeout=5)
        with closing(client):
            [told] = client.sentinel_masters().values()
            return told["num-slaves"] == 1
