"""A chat by real clients against real processes: everybody gets everything, once and in order."""

import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import pytest

from server.demo.replay_log import ChatLine
from tests.support.cluster import RunningCluster
from tests.support.replaying import made_up, real, replay_on, told
from tests.support.running import PATIENT, RunningHouse
from tests.support.servers import free_port

pytestmark = [pytest.mark.external]

REAL = "ubuntu-2004-12-25.jsonl"


@pytest.fixture(params=["made up", "real"])
def chat(request: pytest.FixtureRequest) -> Sequence[ChatLine]:
    """A made-up log, and a real one where the samples are; else a longer one made up."""
    if request.param == "made up":
        return made_up(lines=80)
    return real(REAL, limit=250) or made_up(lines=250, speakers=13, silent=24, seed=2)


@pytest.fixture
async def empty_postgres_url(postgres_url: str) -> AsyncIterator[str]:
    """A database without tables."""
    name = f"zaffa_flow_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield f"{postgres_url.rpartition('/')[0]}/{name}"
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


async def test_a_chat_on_the_embedded_default_reaches_everybody_once(
    tmp_path: Path, chat: Sequence[ChatLine]
):
    page = free_port()
    settings = {
        "ZAFFA_SANDBOX_PAGE_PORT": str(page),
        "ZAFFA_COALESCING_SECONDS": "1",
        **PATIENT,
    }
    async with RunningHouse.start(tmp_path, settings=settings) as house:
        replay = replay_on([house], chat, sandbox=f"http://127.0.0.1:{page}")
        verdict = await replay.run()

    assert verdict.is_good, told(verdict, {"house": house.log})
    assert verdict.acknowledged == len(replay.lines)
    assert verdict.deliveries == len(replay.lines) * len(replay.cast.present)
    # Each stands for the messages of a second, and the verdict knows that none is missing.
    assert 0 < verdict.pushes < len(replay.lines) * len(replay.cast.away)


async def test_a_chat_across_two_gateways_reaches_everybody_once(
    tmp_path: Path,
    empty_postgres_url: str,
    valkey_url: str,
    chat: Sequence[ChatLine],
):
    async with RunningCluster.start(
        tmp_path,
        database_url=empty_postgres_url,
        redis_url=valkey_url,
        settings={"ZAFFA_COALESCING_SECONDS": "1", **PATIENT},
    ) as cluster:
        replay = replay_on(cluster.gateways, chat, sandbox=cluster.sandbox.url)
        verdict = await replay.run()

    logs = {"first": cluster.gateways[0].log, "worker": cluster.worker.log}
    assert verdict.is_good, told(verdict, logs)
    assert verdict.deliveries == len(replay.lines) * len(replay.cast.present)
    # Each stands for the messages of a second, and the verdict knows that none is missing.
    assert 0 < verdict.pushes < len(replay.lines) * len(replay.cast.away)
    assert verdict.reconnected == 0
