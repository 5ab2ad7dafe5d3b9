"""What docs/api.md tells back-end developers to type works, in the order in which it is told."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from messaging.api.operations import BATCH
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.running import ROOT, RunningHouse

pytestmark = pytest.mark.external

SERVER = "http://127.0.0.1:8000"
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


async def test_every_example_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    (settings,) = blocks("toml")
    (tmp_path / "zaffa.toml").write_text(settings)
    (program,) = blocks("python")
    python = Path(sys.executable)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    command = bin_folder / "zaffa"
    command.write_text(f'#!/bin/sh\nexec "{python}" -m server "$@"\n')
    command.chmod(0o755)
    async with RunningHouse.start(tmp_path) as house:

        def run(*arguments: str) -> str:
            done = subprocess.run(
                arguments,
                cwd=tmp_path,
                env={
                    **house.environment(),
                    "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
                    "PYTHONPATH": str(ROOT),
                },
                capture_output=True,
                text=True,
                check=False,
                timeout=90,
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
            return done.stdout

        first, *others = [each.replace(SERVER, house.url) for each in blocks("bash")]
        published, passing, history = (await asyncio.to_thread(run, "bash", "-euc", first)).split(
            "\n"
        )[:3]
        by_program = await asyncio.to_thread(
            run, str(python), "-c", program.replace(SERVER, house.url)
        )
        beginning = f"server={house.url}\n"
        rest = await asyncio.to_thread(run, "bash", "-euc", beginning + "\n".join(others))

    assert published.startswith('{"result":{"offset":1,"epoch":"')
    assert passing == '{"result":{}}'
    assert '{"data":{"coming": 211},"offset":1,"tags":{"table":"7"}}' in history
    assert by_program == "2\n"
    assert '{"result":{"channels":{}}}' in rest
    assert "published at 3" in rest
    assert '      3  {"coming":213} table=7' in rest
    assert '      1  {"coming":211} table=7' in rest


def test_the_page_names_every_method_and_error() -> None:
    api = build(Settings()).api

    assert api is not None
    missing = [each for each in (*api.commands.methods, BATCH) if f"`{each}`" not in PAGE]
    assert missing == []
