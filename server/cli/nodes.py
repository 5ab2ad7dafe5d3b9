"""`zaffa nodes`: which nodes hold connections, and what they hold."""

import argparse
import asyncio

from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import operator_client

_EXAMPLES = """\
  zaffa nodes
  zaffa nodes --url https://chat.example.dz --key "$KEY"

A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

_HEADING = (
    "node",
    "name",
    "version",
    "clients",
    "users",
    "channels",
    "subs",
    "cpu",
    "memory",
    "up",
)


def add_to(commands: Commands) -> None:
    command = add_command(commands, "nodes", examples=_EXAMPLES, run=_run)
    add_address(command)


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_list(given))


async def _list(given: argparse.Namespace) -> int:
    loaded = settings(given)
    async with operator_client(loaded, url=given.url, key=given.key, scope=Scope.OPERATE) as client:
        nodes = (await client.call("info"))["nodes"]
    rows = [
        (
            each["uid"][:8],
            harmless(each["name"]),
            each["version"],
            *(str(each[name]) for name in ("num_clients", "num_users", "num_channels", "num_subs")),
            f"{each['process']['cpu']:.0f}%",
            f"{each['process']['rss'] / 1_048_576:.0f} MiB",
            _duration(each.get("uptime", 0)),
        )
        for each in nodes
    ]
    widths = [max(map(len, column)) for column in zip(_HEADING, *rows, strict=True)]
    for row in (_HEADING, *rows):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())
    return 0


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    return f"{days}d{hours}h" if days else f"{hours}h{rest // 60}m{rest % 60}s"
