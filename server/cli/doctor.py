"""`zaffa doctor`: is everything in place?"""

import argparse
import asyncio
import sys

from server.checkup import Level, check
from server.cli.common import Commands, add_command, settings
from server.settings import documentation
from server.wiring.groups import Settings

_EXAMPLES = """\
  zaffa doctor                  one line for each thing looked at; exit code 1 if one fails
  zaffa doctor --settings       every setting, as in docs/settings.md
"""

_SIGNS = {Level.OK: "ok  ", Level.WARN: "warn", Level.FAIL: "FAIL"}


def add_to(commands: Commands) -> None:
    command = add_command(
        commands,
        "doctor",
        examples=_EXAMPLES,
        run=_run,
    )
    command.add_argument("--settings", action="store_true", help="print every setting and stop")


def _run(given: argparse.Namespace) -> int:
    if given.settings:
        sys.stdout.write(documentation(Settings))
        return 0
    return asyncio.run(_examine(settings(given)))


async def _examine(loaded: Settings) -> int:
    failed = False
    async for finding in check(loaded):
        print(f"{_SIGNS[finding.level]}  {finding.subject:<9} {finding.text}", flush=True)
        if finding.advice:
            print(f"                → {finding.advice}", flush=True)
        failed = failed or finding.level is Level.FAIL
    return 1 if failed else 0
