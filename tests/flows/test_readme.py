"""What the README tells a newcomer to type works, in the order in which it is told."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.support.pages import SERVER, shell, tour
from tests.support.running import RunningHouse

pytestmark = pytest.mark.external


async def test_the_tour_ends_with_a_campaign_sent_and_a_reminder_planned(tmp_path: Path) -> None:
    async with RunningHouse.start(tmp_path) as house:
        await asyncio.to_thread(shell, house, "zaffa demo")

        said = await asyncio.to_thread(shell, house, "\n".join(tour("README.md")))

        assert "زفاف لينا وكريم" in said
        assert await accepted(house, campaign_of(said)) == 3
        event = re.search(r'"id":"([0-9a-f-]{36})","title":"زفاف لينا"', said)
        assert event is not None, said
        task = re.search(r'"id":"([0-9a-f-]{36})",[^{}]*"title":"Appeler la salle"', said)
        assert task is not None, said
        firings = (await house.call("GET", "/v1/firings", user="amina"))["firings"]
        asked = f"/v1/events/{event[1]}/tasks/{task[1]}/explain"
        settled = (await house.call("GET", asked, user="amina"))["settled"]
        # Within a minute it is handed over, and no longer among what is still to come.
        assert 1 in ([each["event_id"] for each in firings].count(event[1]), len(settled))


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
