"""No message is lost, repeated or reordered for any reader, whatever happens.

Real clients talk and listen while servers are killed, paused, flushed and cut off. The judge of
channels holds what each of them saw against the logs; the official clients stand by and listen.
"""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from server import migrations
from tests.conformance.clients import Clients
from tests.crash.conftest import Rounds
from tests.support.bystanders import Bystanders
from tests.support.chronicle import Chronicle
from tests.support.crowd import FEEDS, Crowd, Habits
from tests.support.nemeses import Arena, haunt
from tests.support.redis_setups import ValkeyCluster
from tests.support.servers import PostgresServer, ValkeyServer

pytestmark = [pytest.mark.crash, pytest.mark.external, pytest.mark.timeout(4000)]

SETTLED = 45.0
"""Seconds in which everybody must have everything once the faults are over."""

AT_ONCE = 1.0
"""Seconds that the news of a removal may take within a node."""

GRACE = 6.0
"""The same among nodes: a look at the database, and a paused node."""

SETTINGS = {
    "ZAFFA_WIRE_BACKLOG_BYTES": "65536",
    "ZAFFA_RELAY_LEASE_SECONDS": "5",
    "ZAFFA_SERVER_PUSH": "providers",
    "ZAFFA_SERVER_LOG_LEVEL": "warning",
}


@pytest.fixture(autouse=True)
def feeds(tmp_path: Path) -> None:
    """Nodes read their settings file in the folder they run in."""
    (tmp_path / "zaffa.toml").write_text(FEEDS)


async def survived(
    arena: Arena,
    dice: random.Random,
    habits: Habits,
    seconds: float,
    *,
    clients: Clients,
    grace: float = GRACE,
    only: Sequence[str] = ("",),
) -> str:
    """Let a crowd live with faults for a while; what was wrong, if anything was.

    The faults are those with one of the words in `only` in their name.
    """
    urls, signer = arena.urls, arena.nodes[0].house
    async with (
        Crowd.gathered(urls, signer=signer, dice=dice, habits=habits) as crowd,
        Bystanders.standing(
            clients, urls, channel=next(iter(crowd.channels)), users=crowd.stable, signer=signer
        ) as bystanders,
    ):
        living = asyncio.create_task(crowd.live(seconds))
        nemeses = {
            name: nemesis
            for name, nemesis in arena.nemeses(crowd).items()
            if any(word in name for word in only)
        }
        # A house of one node must have moments in which it works.
        at_once = min(2, len(arena.nodes))
        happened = await haunt(nemeses, dice, seconds=seconds, at_once=at_once)
        try:
            await asyncio.wait_for(living, SETTLED)
            await crowd.settled(SETTLED)
            top = len(crowd.chronicle.records[bystanders.channel].log or ())
            await bystanders.arrived(top, within=SETTLED)
            crowd.chronicle.complaints += bystanders.problems(top)
        except TimeoutError:
            crowd.chronicle.complaints += ["questions were never answered", *crowd.violations()]
    print(told(crowd.chronicle, happened), flush=True)
    problems = crowd.chronicle.problems(grace=grace)
    if not problems:
        return ""
    logs = [
        f"--- {node.house.log.name}\n{node.house.log.read_text()[-3000:]}" for node in arena.nodes
    ]
    return "\n".join([*problems, "after " + ", ".join(happened), *logs])


def told(chronicle: Chronicle, happened: Sequence[str]) -> str:
    """A run in a line."""
    records = chronicle.records.values()
    readers = [reader for record in records for reader in record.readers]
    sessions = [session for reader in readers for session in reader.sessions]
    return (
        f"{sum(len(record.acknowledged) for record in records)} acknowledged, "
        f"{sum(len(session.heard) for session in sessions)} heard by {len(readers)} readers "
        f"in {len(sessions)} sessions, {sum(session.recovered for session in sessions)} recovered, "
        f"{sum(len(reader.filled) for reader in readers)} from history, "
        f"after {len(happened)} faults"
    )


async def test_whatever_happens_to_an_embedded_house_nothing_is_lost(
    tmp_path: Path, clients: Clients, rounds: Rounds
):
    # So little is recovered that some have to read what they missed from history.
    settings = {**SETTINGS, "ZAFFA_SERVER_PUSH": "auto", "ZAFFA_RECOVERY_PUBLICATIONS": "3"}
    async with Arena.embedded(tmp_path, settings) as arena:
        for dice in rounds:
            habits = Habits(stable=6, coming_and_going=2, conversations=2)
            problems = await survived(
                arena, dice, habits, seconds=7.0, clients=clients, grace=AT_ONCE
            )
            assert not problems, problems


async def test_whatever_happens_to_a_cluster_nothing_is_lost(
    tmp_path: Path,
    durable_postgres: PostgresServer,
    crash_database_url: str,
    valkey_server: ValkeyServer,
    clients: Clients,
    rounds: Rounds,
):
    await migrations.upgrade(crash_database_url)
    async with Arena.cluster(
        tmp_path,
        SETTINGS,
        gateways=2,
        postgres=durable_postgres,
        database=crash_database_url.rpartition("/")[2],
        valkey=valkey_server,
    ) as arena:
        for dice in rounds:
            problems = await survived(arena, dice, Habits(), seconds=14.0, clients=clients)
            assert not problems, problems


async def test_whatever_happens_to_a_cluster_of_valkeys_nothing_is_lost(
    tmp_path: Path,
    durable_postgres: PostgresServer,
    crash_database_url: str,
    clients: Clients,
    rounds: Rounds,
):
    await migrations.upgrade(crash_database_url)
    with ValkeyCluster.start(replicas=1) as valkeys:
        async with Arena.cluster(
            tmp_path,
            SETTINGS,
            gateways=2,
            postgres=durable_postgres,
            database=crash_database_url.rpartition("/")[2],
            valkey=valkeys,
        ) as arena:
            for dice in rounds:
                problems = await survived(
                    arena,
                    dice,
                    Habits(),
                    seconds=8.0,
                    clients=clients,
                    only=("valkey", "node", "clients"),
                )
                assert not problems, problems
