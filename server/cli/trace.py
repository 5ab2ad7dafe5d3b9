"""`zaffa trace`: watch what a user or a channel does, as it happens."""

import argparse
import asyncio
import json
from contextlib import aclosing
from typing import Any

from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import operator_client

_EXAMPLES = """\
  zaffa trace --user amina                  all that amina's clients say and hear
  zaffa trace --channel news:sport          publications, and who comes and goes
  zaffa trace --user amina --seconds 300 --json > trace.ndjson

Message bodies are shown; tokens and other secrets are not. It ends by itself, or with Ctrl+C.
"""


def add_to(commands: Commands) -> None:
    command = add_command(commands, "trace", examples=_EXAMPLES, run=_run)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--user", default="", help="whose connections")
    what.add_argument("--channel", default="", help="which channel")
    command.add_argument("--seconds", type=float, default=60.0, help="for how long, 600 at most")
    command.add_argument("--json", action="store_true", help="print whole events, one a line")
    add_address(command)


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_watch(given))


async def _watch(given: argparse.Namespace) -> int:
    loaded = settings(given)
    named = ("user_id", given.user) if given.user else ("channel", given.channel)
    async with operator_client(loaded, url=given.url, key=given.key, scope=Scope.OPERATE) as client:
        events = client.follow("trace", query=[named, ("seconds", str(given.seconds))])
        async with aclosing(events):
            async for event in events:
                text = json.dumps(event, ensure_ascii=False) if given.json else _line(event)
                print(harmless(text), flush=True)
    return 0


def _line(event: dict[str, Any]) -> str:
    """An event as people read it: when, where, what, who, and the rest."""
    rest = [
        f"{name}={event[name]}"
        for name in ("channel", "offset", "code", "reason", "count", "size")
        if name in event
    ]
    if "data" in event:
        rest.append(json.dumps(event["data"], ensure_ascii=False, separators=(",", ":")))
    at = event["at"][11:23].rstrip("Z")
    who = event.get("user_id", "")
    client = event.get("client", "")[:8]
    return f"{at:<12} {event['node'][:8]} {event['kind']:<12} {who} {client} {' '.join(rest)}"
