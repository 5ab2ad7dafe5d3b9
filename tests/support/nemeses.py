"""Everything that befalls a house: each fault lasts a while, and is healed by whoever made it."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.support.crowd import Crowd
from tests.support.redis_setups import ValkeyCluster
from tests.support.running import PATIENCE, RunningHouse
from tests.support.servers import PostgresServer, ValkeyServer, free_port
from tests.support.tunnel import Link, Tunnel

Nemesis = Callable[[random.Random], Awaitable[None]]

LONGEST = 4.0
"""Seconds that a fault lasts, at most."""

_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

SKEW = 600.0
"""Seconds by which a wall clock is set wrong, at most."""


@dataclass(slots=True)
class Node:
    """A node of ours with everything around it that may fail."""

    house: RunningHouse
    clients: Tunnel | None
    """What clients reach it through."""
    backends: Mapping[str, Tunnel]
    """What it reaches PostgreSQL and Valkey through."""
    skew: Path
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One fault of the process at a time."""


@dataclass(slots=True)
class Arena:
    """A house in which faults happen."""

    nodes: list[Node]
    postgres: PostgresServer | None = None
    valkeys: Sequence[ValkeyServer] = ()
    """One, or the shards of a cluster."""
    dead: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One shared server is away at a time."""

    @classmethod
    @asynccontextmanager
    async def embedded(cls, folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Self]:
        """One process with SQLite."""
        async with AsyncExitStack() as opened:
            node = await _node(opened, folder, settings, {}, roles=(), like=None)
            node.house.spawn()
            await node.house.ready()
            yield cls([node])

    @classmethod
    @asynccontextmanager
    async def cluster(
        cls,
        folder: Path,
        settings: Mapping[str, str],
        *,
        gateways: int,
        postgres: PostgresServer,
        database: str,
        valkey: ValkeyServer | ValkeyCluster,
    ) -> AsyncIterator[Self]:
        """Gateways and a relay, each with a way of its own to PostgreSQL and to one Valkey.

        The shards of a cluster name each other, so nodes reach those without a detour.
        """
        async with AsyncExitStack() as opened:
            ports = {"postgres": postgres.port}
            if isinstance(valkey, ValkeyServer):
                ports["valkey"] = valkey.port
            nodes: list[Node] = []
            for number in range(gateways + 1):
                ways = {
                    name: await opened.enter_async_context(Tunnel.dug(port))
                    for name, port in ports.items()
                }
                redis_url = valkey.url
                if "valkey" in ways:
                    redis_url = f"redis://127.0.0.1:{ways['valkey'].port}/0"
                given = {
                    "ZAFFA_DATABASE_URL": _through(ways["postgres"], database),
                    "ZAFFA_REDIS_URL": redis_url,
                    **settings,
                }
                role = "gateway" if number < gateways else "relay"
                first = nodes[0].house if nodes else None
                nodes.append(await _node(opened, folder, given, ways, roles=[role], like=first))
            for node in nodes:
                node.house.spawn()
            await asyncio.gather(*(node.house.ready() for node in nodes))
            if isinstance(valkey, ValkeyServer):
                yield cls(nodes, postgres, [valkey])
            else:
                yield cls(nodes, postgres, [*valkey.primaries, *valkey.replicas])

    @property
    def gateways(self) -> list[Node]:
        return [node for node in self.nodes if node.clients is not None]

    @property
    def urls(self) -> list[str]:
        """Where clients connect."""
        return [
            f"ws://127.0.0.1:{node.clients.port}/connection/websocket"
            for node in self.nodes
            if node.clients is not None
        ]

    def nemeses(self, crowd: Crowd) -> Mapping[str, Nemesis]:
        """Every fault that can happen here, by name."""
        found: dict[str, Nemesis] = {
            "killed node": self.kill_node,
            "paused node": self.pause_node,
            "wrong clock": self.set_clock,
            "storm": self.cut_clients,
            "half-open clients": self.half_open_clients,
            "slow clients": self.slow_clients,
            "impatient clients": _dropping(crowd),
        }
        if self.postgres is not None:
            found |= {
                "killed postgres": self.kill_postgres,
                "restarted postgres": self.restart_postgres,
                "ended backends": self.end_backends,
                "killed valkey": self.kill_valkey,
                "paused valkey": self.pause_valkey,
                "flushed valkey": self.flush_valkey,
                "partition": self.part_from_backends,
                "cut backends": self.cut_backends,
            }
        return found

    # --- nodes -----------------------------------------------------------------------------------

    async def kill_node(self, dice: random.Random) -> None:
        node = dice.choice(self.nodes)
        async with node.busy:
            node.house.kill()
            await asyncio.sleep(dice.uniform(0.0, 2.0))
            await _revived(node.house)

    async def pause_node(self, dice: random.Random) -> None:
        node = dice.choice(self.nodes)
        async with node.busy:
            os.kill(node.house.pid, signal.SIGSTOP)
            await asyncio.sleep(dice.uniform(0.2, LONGEST))
            os.kill(node.house.pid, signal.SIGCONT)

    async def set_clock(self, dice: random.Random) -> None:
        dice.choice(self.nodes).skew.write_text(str(dice.uniform(-SKEW, SKEW)))

    # --- clients ---------------------------------------------------------------------------------

    async def cut_clients(self, dice: random.Random) -> None:
        """Everybody loses the connection in the same moment."""
        for node in self.gateways:
            assert node.clients is not None
            node.clients.cut()

    async def half_open_clients(self, dice: random.Random) -> None:
        """Some lose their connection, and the node is not told."""
        for link in self._some_clients(dice):
            link.vanish()

    async def slow_clients(self, dice: random.Random) -> None:
        """Some read nothing for a while."""
        slow = self._some_clients(dice)
        for link in slow:
            link.hold(up=dice.random() < 0.5)
        await asyncio.sleep(dice.uniform(0.5, LONGEST))
        for link in slow:
            link.release()

    def _some_clients(self, dice: random.Random) -> list[Link]:
        links = [
            link
            for node in self.gateways
            if node.clients is not None
            for link in node.clients.links
        ]
        return dice.sample(links, k=len(links) // 2)

    # --- what nodes need -------------------------------------------------------------------------

    async def part_from_backends(self, dice: random.Random) -> None:
        """A node reaches PostgreSQL or Valkey, or both, no more, and is not told."""
        node = dice.choice(self.nodes)
        ways = dice.sample(sorted(node.backends), k=dice.randint(1, len(node.backends)))
        for way in ways:
            node.backends[way].hold(up=dice.random() < 0.7, down=dice.random() < 0.7)
        await asyncio.sleep(dice.uniform(0.5, 2 * LONGEST))
        for way in ways:
            node.backends[way].release()

    async def cut_backends(self, dice: random.Random) -> None:
        """A node's connections to PostgreSQL or Valkey are reset."""
        node = dice.choice(self.nodes)
        way = node.backends[dice.choice(sorted(node.backends))]
        way.shut = True
        way.cut()
        await asyncio.sleep(dice.uniform(0.0, 2.0))
        way.shut = False

    async def kill_postgres(self, dice: random.Random) -> None:
        assert self.postgres is not None
        await self._restarted(self.postgres, self.postgres.kill, dice)

    async def restart_postgres(self, dice: random.Random) -> None:
        assert self.postgres is not None
        await self._restarted(self.postgres, self.postgres.stop, dice)

    async def end_backends(self, dice: random.Random) -> None:
        """PostgreSQL ends the sessions of everybody."""
        assert self.postgres is not None
        async with self.dead:
            await asyncio.to_thread(self.postgres.psql, _END_OTHERS)

    async def kill_valkey(self, dice: random.Random) -> None:
        valkey = dice.choice(self.valkeys)
        await self._restarted(valkey, valkey.kill, dice)

    async def pause_valkey(self, dice: random.Random) -> None:
        valkey = dice.choice(self.valkeys)
        async with self.dead:
            valkey.pause()
            await asyncio.sleep(dice.uniform(0.2, 2 * LONGEST))
            valkey.resume()

    async def flush_valkey(self, dice: random.Random) -> None:
        """It forgets everything; a replica in a cluster says no to that."""
        async with self.dead:
            port = dice.choice(self.valkeys).port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"FLUSHALL\r\n")
            await reader.readline()
            writer.close()
            await writer.wait_closed()

    async def _restarted(
        self,
        server: PostgresServer | ValkeyServer,
        end: Callable[[], None],
        dice: random.Random,
    ) -> None:
        async with self.dead:
            await asyncio.to_thread(end)
            await asyncio.sleep(dice.uniform(0.0, 2.0))
            await asyncio.to_thread(server.start)


async def haunt(
    nemeses: Mapping[str, Nemesis], dice: random.Random, *, seconds: float, at_once: int
) -> Sequence[str]:
    """Let one fault after the other happen, some of them together; what happened, in order."""
    happened: list[str] = []
    until = asyncio.get_running_loop().time() + seconds

    async def one_after_the_other(mine: random.Random) -> None:
        await asyncio.sleep(mine.uniform(0.2, 1.0))
        while asyncio.get_running_loop().time() < until:
            name = mine.choice(sorted(nemeses))
            happened.append(name)
            await nemeses[name](mine)
            await asyncio.sleep(mine.uniform(0.1, 1.5))

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one_after_the_other(random.Random(dice.random())))
    return happened


def _dropping(crowd: Crowd) -> Nemesis:
    async def drop(dice: random.Random) -> None:
        for client in dice.sample(crowd.clients, k=len(crowd.clients) // 3):
            client.drop()

    return drop


async def _node(
    opened: AsyncExitStack,
    folder: Path,
    settings: Mapping[str, str],
    ways: Mapping[str, Tunnel],
    *,
    roles: Sequence[str],
    like: RunningHouse | None,
) -> Node:
    port = free_port()
    skew = folder / f"skew-{port}"
    skew.write_text("0")
    house = RunningHouse(
        folder,
        port,
        {**settings, "ZAFFA_TEST_SKEW_FILE": str(skew)},
        roles=roles,
        module="tests.support.skewed_node",
    )
    if like is not None:
        house.secret = like.secret
    opened.push_async_callback(_ended, house)
    clients = None
    if "relay" not in roles:
        clients = await opened.enter_async_context(Tunnel.dug(port))
    return Node(house, clients, ways, skew)


async def _revived(house: RunningHouse) -> None:
    """Start a node as a process manager does: again, if what it needs is away just then."""
    async with asyncio.timeout(PATIENCE):
        while True:
            house.spawn()
            try:
                await house.ready()
            except AssertionError:
                assert house.process is not None
                if house.process.poll() is None:
                    raise
                await asyncio.sleep(0.2)
            else:
                return


async def _ended(house: RunningHouse) -> None:
    if house.process is not None:
        await asyncio.to_thread(house.end)


def _through(way: Tunnel, database: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{way.port}/{database}"
