"""`zaffa db`: the database's schema."""

import argparse
import asyncio
import sys

from server import migrations
from server.cli.common import Commands, add_command, settings
from server.wiring.tables import METADATA

_EXAMPLES = """\
  zaffa db upgrade             create the tables, or bring them to this release
  zaffa db current             say which revision the database has
  zaffa db downgrade 0003      go back; what later migrations added is lost
  zaffa db check               compare the tables with the code; exit code 1 if they differ
  zaffa db revision 'Why.'     for developers: write the migration that they differ by
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands,
        "db",
        examples=_EXAMPLES,
        run=_run,
    )
    command.add_argument("action", choices=("upgrade", "downgrade", "current", "check", "revision"))
    command.add_argument(
        "revision", nargs="?", help="a revision such as 0003, or base; or what changes"
    )


def _run(given: argparse.Namespace) -> int:
    url = settings(given).database.url
    if given.action == "upgrade":
        return asyncio.run(_upgrade(url, given.revision or "head"))
    if given.action == "downgrade":
        if given.revision is None:
            print("Say to which revision, such as 0003; `base` drops every table.", file=sys.stderr)
            return 2
        return asyncio.run(_downgrade(url, given.revision))
    if given.action == "revision":
        if not (given.revision or "").strip():
            print("Say in a sentence what changes.", file=sys.stderr)
            return 2
        return asyncio.run(_write(given.revision.strip()))
    if given.action == "current":
        return asyncio.run(_show(url))
    return asyncio.run(_check(url))


async def _upgrade(url: str, revision: str) -> int:
    before = await migrations.state(url)
    print(f"upgrading from {before.current or 'an empty database'} …", file=sys.stderr)
    await migrations.upgrade(url, revision)
    return await _show(url)


async def _downgrade(url: str, revision: str) -> int:
    await migrations.downgrade(url, revision)
    return await _show(url)


async def _write(message: str) -> int:
    path = await migrations.write_revision(message, METADATA)
    print(f"{path}: read it, then make it a frozen document of one idea", file=sys.stderr)
    return 0


async def _show(url: str) -> int:
    state = await migrations.state(url)
    note = "up to date" if state.is_current else f"this release needs {state.head}"
    print(f"revision {state.current or 'none'}: {note}")
    return 0


async def _check(url: str) -> int:
    (await migrations.state(url)).demand()
    differences = await migrations.differences(url, METADATA)
    for difference in differences:
        print(difference)
    print("The tables differ from the code." if differences else "The tables match the code.")
    return 1 if differences else 0
