"""From a checklist to what `zaffa reminders` says of it, through a running server."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kernel.clock import SystemClock
from tests.support.running import PATIENCE, ROOT, RunningHouse

pytestmark = pytest.mark.external


async def zaffa(house: RunningHouse, *words: str) -> str:
    """What `zaffa reminders` says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "reminders", "--url", house.url, *words),
        cwd=house.folder,
        env={**house.environment(), "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    return said.decode()


def _in_days(days: int) -> str:
    return (SystemClock().now() + timedelta(days=days)).date().isoformat()


async def test_operators_see_what_will_be_said_and_why_and_hold_it_back(tmp_path: Path) -> None:
    async with RunningHouse.start(tmp_path) as house:

        async def ask(method: str, path: str, **body: object) -> Any:
            return await house.call(method, f"/v1/{path}", user="amina", body=body or None)

        event = await ask("POST", "events", title="عرس", zone="Africa/Algiers", day="2099-06-20")
        here = f"events/{event['id']}"
        begun = await ask("POST", f"{here}/checklist", type="wedding", locale="ar-DZ")
        assert begun == {"anchors": 3, "tasks": 24, "start_here": []}
        soon = {"kind": "elapsed", "minutes": 60}
        # In days rather than decades, so that the plan reaches it.
        due = {"kind": "wall", "day": _in_days(9), "at": "20:00", "zone": "Africa/Algiers"}
        task = await ask("POST", f"{here}/tasks", title="القاعة", due=due)
        rule = "0197f3a2-0000-7000-8000-000000000001"
        await ask("PUT", f"{here}/rules/{rule}", task_id=task["id"], lead=soon)
        async with asyncio.timeout(PATIENCE):
            while not (await ask("GET", "firings"))["firings"]:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.2)

        upcoming = await zaffa(house, "upcoming", "amina")
        explained = await zaffa(house, "explain", event["id"], task["id"], "amina")
        await ask("PUT", f"{here}/guests/djamel")
        of_guest = await zaffa(house, "explain-guest", event["id"], "djamel")
        paused = await zaffa(house, "pause", "policy_far")

        assert f"{_in_days(9)}T19:00:00 Africa/Algiers" in upcoming
        assert "planned" in explained
        assert rule in explained
        assert "nobody said by when to answer" in of_guest
        assert paused.startswith("policy_far paused since ")
