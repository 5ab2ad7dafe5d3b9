"""`zaffa demo`: people to try things with."""

import argparse
import asyncio
import sys

from server import migrations
from server.cli import replaying
from server.cli.common import Commands, add_command, called_as, settings
from server.demo.seed import GUESTS, hints_of, seed
from server.wiring.groups import Settings

_EXAMPLES = """\
  zaffa demo          put demo data into the database; again, and nothing changes
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands,
        "demo",
        examples=_EXAMPLES + replaying.EXAMPLES,
        run=_run,
    )
    replaying.add_arguments(command)


def _run(given: argparse.Namespace) -> int:
    loaded = settings(given)
    if given.replay:
        return replaying.replay(given, loaded)
    asyncio.run(_seed(loaded))
    print("users: " + ", ".join(guest.user_id for guest in GUESTS))
    for _user, command in hints_of(loaded, program=called_as()).chats:
        print(f"try:   {command}")
    return 0


async def _seed(loaded: Settings) -> None:
    (await migrations.state(loaded.database.url)).demand()
    print("seeding …", file=sys.stderr)
    await seed(loaded)
