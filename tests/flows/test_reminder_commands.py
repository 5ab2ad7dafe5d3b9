"""What operators type about reminders, at a node that runs: what it says, and what it refuses."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kernel.clock import SystemClock
from server.cli.main import main
from tests.support.running import PATIENCE, RunningHouse

pytestmark = pytest.mark.external

Said = tuple[int, str, str]
Zaffa = Callable[..., Awaitable[Said]]


@pytest.fixture
def zaffa(capsys: pytest.CaptureFixture[str]) -> Zaffa:
    """Call `zaffa` in this process; its code, what it said, and what it complained of."""

    async def call(*words: str) -> Said:
        capsys.readouterr()
        code = await asyncio.to_thread(main, words)
        return code, *capsys.readouterr()

    return call


async def test_operators_are_told_what_is_and_what_they_asked_wrongly(
    tmp_path: Path, zaffa: Zaffa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with RunningHouse.start(tmp_path) as house:
        for name, value in house.environment().items():
            monkeypatch.setenv(name, value)
        scopes = ("--scope", "reminders", "--scope", "pushes")
        (_, created, _) = await zaffa("key", "create", "office", *scopes)
        mine = "--key", created.split()[-1]

        async def ask(*words: str, key: tuple[str, ...] = mine) -> Said:
            return await zaffa("reminders", "--url", house.url, *key, *words)

        event, task = await _a_plan(house)
        nobody = str(uuid4())

        assert await ask("upcoming", "nadia") == (
            0,
            "nothing is planned for nadia; explain says why for a task\n",
            "",
        )
        assert f"exact_calendar  event {event}  task {task}" in (await ask("upcoming", "amina"))[1]
        explained = (await ask("explain", event, task, "amina"))[1]
        assert "task rule" in explained
        assert "due: as it was typed · zone: the event's zone" in explained
        assert (await ask("explain-event", event, "amina"))[0] == 0

        for wrong in (
            ("explain", event, nobody, "amina"),
            ("explain-event", nobody, "amina"),
            ("explain-guest", nobody, "amina"),
            ("replan", nobody),
            ("retry", nobody),
        ):
            code, said, complained = await ask(*wrong)
            assert (code, said) == (1, ""), wrong
            assert "no such" in complained
            assert "not_found" in complained
        assert "task_id: invalid UUID" in (await ask("explain", event, "x", "amina"))[2]
        assert "is not in the event" in (await ask("explain", event, task, "nadia"))[2]

        assert (await ask("replan", event))[1] == "its plan is about to be made again\n"
        code, said, progress = await ask("replan", "--all")
        assert (code, said) == (0, "1 plans are made again\n")
        assert progress.endswith("1 of 1 plans\n")
        assert (await ask("retry", event))[1] == "no reminder of this event died\n"
        assert (await ask("dead", key=()))[1] == "no reminder died\n"
        assert (await ask("pause", "nag"))[1].startswith("nag paused since ")
        assert (await ask("resume", "nag"))[1] == "nothing is paused\n"

        changed = (await ask("ramadans", "--set", "1448", "2027-02-09", "2027-03-09"))[1]
        assert "1448  2027-02-09 to 2027-03-09  29 days, announced\n" in changed
        assert "replan --all" in changed
        back = (await ask("ramadans", "--forget", "1448"))[1]
        assert "1448  2027-02-08 to 2027-03-08  29 days, estimated\n" in back
        assert (await ask("ramadans", "--set", "1448", "2026-02-09", "2026-03-09"))[2] == (
            "starts_on: must be within 3 days of 2027-02-08\ninvalid_input\n"
        )

        (_, lesser, _) = await zaffa("key", "create", "shop", "--scope", "users")
        refused = await ask("pauses", key=("--key", lesser.split()[-1]))
        assert refused[2] == "This needs an API key with the scope reminders.\npermission_denied\n"

    code, _, complained = await ask("pauses")
    assert code == 1
    assert complained.startswith(f"No node answers at {house.url}; --url names another.")


async def _a_plan(house: RunningHouse) -> tuple[str, str]:
    """An event and its task, once a reminder of it is planned."""

    async def ask(method: str, path: str, **body: object) -> Any:
        return await house.call(method, f"/v1/{path}", user="amina", body=body or None)

    event = await ask("POST", "events", title="عرس", zone="Africa/Algiers", day="2099-06-20")
    here = f"events/{event['id']}"
    day = (SystemClock().now() + timedelta(days=9)).date().isoformat()
    due = {"kind": "day", "day": day}
    task = await ask("POST", f"{here}/tasks", title="القاعة", due=due)
    lead = {"kind": "calendar", "days": 1, "at": "09:00"}
    await ask("PUT", f"{here}/rules/{uuid4()}", task_id=task["id"], lead=lead)
    async with asyncio.timeout(PATIENCE):
        while not (await ask("GET", "firings"))["firings"]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
    return event["id"], task["id"]
