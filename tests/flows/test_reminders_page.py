"""What docs/reminders.md tells people to type works, and what operators get wrong is told."""

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from server.cli.main import main
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.around_event import is_ours
from tests.support.pages import shell, tour
from tests.support.running import ROOT, RunningHouse

PAGE = "docs/reminders.md"

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


@pytest.mark.external
async def test_the_tour_plans_a_wedding_acts_from_a_phone_and_is_seen_by_operators(
    tmp_path: Path, zaffa: Zaffa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    *of_apps, of_operators = tour(PAGE)
    async with RunningHouse.start(tmp_path) as house:
        told = await asyncio.to_thread(
            shell, house, "\n".join([*of_apps, "echo; echo event=$event task=$task"])
        )
        for each in (
            '"due_by":"as it was typed"',
            '"parts":[{"code":"henna","before":"2027-07-22","after":"2027-08-05"}',
            "SUMMARY:Appeler la salle",
            '"action":"snooze_1_hour","outcome":"applied"',
        ):
            assert each in told, told
        named = re.search(r"event=(\S+) task=(\S+)", told)
        assert named is not None
        event, task = named.groups()
        for name, value in house.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ZAFFA_SERVER_PORT", str(house.port))

        said = await _typed(zaffa, of_operators.replace("$event", event).replace("$task", task))

        for each in (
            f"exact_elapsed  event {event}  task {task}",
            "task rule",
            "zone: the user's profile",
            "on the eve",
            "in all: ",
            "1 plans are made again\n600 seconds\n",
            "policy_far paused since ",
            "nothing is paused",
            "1 of 1 plans\n",
            "1448  2027-02-09 to 2027-03-09  29 days, announced",
            "1448  2027-02-08 to 2027-03-08  29 days, estimated",
            "no reminder died",
        ):
            assert each in said, said
        await _mistakes(zaffa, event, task)

    code, _, complained = await zaffa("reminders", "pauses")
    assert code == 1
    assert complained.startswith(f"No node answers at {house.url}; --url names another.")


async def _typed(zaffa: Zaffa, block: str) -> str:
    """What the commands of a block say, each of which works."""
    told = ""
    for line in block.splitlines():
        code, said, progress = await zaffa(*shlex.split(line, comments=True)[1:])
        assert code == 0, f"{line}\n{said}\n{progress}"
        told += said + progress
    return told


async def _mistakes(zaffa: Zaffa, event: str, task: str) -> None:
    """What is asked of what is not there, or may not be, is refused by name."""
    nobody = str(uuid4())
    _, lesser, _ = await zaffa("key", "create", "shop", "--scope", "users")
    for words, expected in {
        ("explain", event, nobody, "amina"): "The event has no such task.\ntask.not_found\n",
        ("explain", event, "x", "amina"): "task_id: invalid UUID\ninvalid_input\n",
        ("explain", event, task, "nadia"): "The user is not in the event.\nevent.not_in_event\n",
        ("explain-event", nobody, "amina"): "There is no such event.\nevent.not_found\n",
        ("explain-guest", nobody, "amina"): "There is no such event.\nevent.not_found\n",
        ("replan", nobody): "There is no such event.\nevent.not_found\n",
        ("spread", "9"): "seconds: must be between 240 and 3600\ninvalid_input\n",
        ("retry", nobody): "There is no such event.\nevent.not_found\n",
        ("ramadans", "--set", "1448", "2026-02-09", "2026-03-09"): (
            "starts_on: must be within 3 days of 2027-02-08\ninvalid_input\n"
        ),
        ("--key", lesser.split()[-1], "pauses"): (
            "This needs an API key with the scope reminders.\npermission_denied\n"
        ),
    }.items():
        assert await zaffa("reminders", *words) == (1, "", expected), words
    assert await zaffa("reminders", "upcoming", "nadia") == (
        0,
        "nothing is planned for nadia; explain says why for a task\n",
        "",
    )
    assert (await zaffa("reminders", "retry", event))[1] == "no reminder of this event died\n"


def test_the_page_names_whatever_can_be_asked() -> None:
    page = (ROOT / PAGE).read_text("utf-8")
    missing = []
    for operation in filter(is_ours, build(Settings()).operations):
        # The page writes paths with an ellipsis, and variables where the API has names.
        words = [each for each in operation.path.split("/") if each and not each.startswith("{")]
        if not re.search(rf"/{re.escape(words[-1])}\b", page):
            missing.append(f"{operation.method} {operation.path}")

    assert missing == []
