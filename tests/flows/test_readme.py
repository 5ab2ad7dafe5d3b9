"""What the README tells a newcomer to type works, in the order in which it is told."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import ROOT, RunningHouse

pytestmark = pytest.mark.external

SERVER = "http://127.0.0.1:8000"


def tour() -> list[str]:
    """The blocks of the README that are marked as parts of the tour."""
    text = (ROOT / "README.md").read_text("utf-8")
    return re.findall(r"<!-- tour -->\n```bash\n(.*?)```", text, re.DOTALL)


def shell(house: RunningHouse, script: str) -> str:
    """Run a script as a newcomer would, in the folder of the server; what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(SERVER, house.url)],
        cwd=house.folder,
        env={**house.environment(), "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


async def test_the_tour_ends_with_a_campaign_sent_and_a_reminder_planned(tmp_path: Path) -> None:
    async with RunningHouse.start(tmp_path) as house:
        await asyncio.to_thread(shell, house, "zaffa demo")

        said = await asyncio.to_thread(shell, house, "\n".join(tour()))

        assert "زفاف لينا وكريم" in said
        assert await accepted(house, campaign_of(said)) == 3
        event = re.search(r'"id":"([0-9a-f-]{36})","title":"زفاف لينا"', said)
        assert event is not None, said
        firings = (await house.call("GET", "/v1/firings", user="amina"))["firings"]
        assert [each["event_id"] for each in firings].count(event[1]) == 1


def campaign_of(said: str) -> str:
    found = re.search(r'"id":"([0-9a-f-]{36})","name":"spring"', said)
    assert found is not None, said
    return found[1]


async def accepted(house: RunningHouse, campaign: str) -> int:
    """How many of the campaign's pushes the sandbox took, once none of them waits."""
    key = (await asyncio.to_thread(shell, house, "zaffa key create t --scope campaigns")).strip()
    ask = f'curl -fsS "{SERVER}/admin/v1/campaigns/{campaign}" -H "X-API-Key: {key}"'
    for _ in range(100):
        told = json.loads(await asyncio.to_thread(shell, house, ask))
        waiting = sum(told["counts"][state] for state in ("queued", "sending", "retry", "held"))
        if told["planned"] and not waiting:
            return int(told["counts"]["accepted"])
        await asyncio.sleep(0.1)
    raise AssertionError(f"the campaign does not end: {told}")
