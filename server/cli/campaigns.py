"""`zaffa campaigns`: see them, and start, pause, resume or cancel one."""

import argparse
import asyncio
from collections.abc import Mapping
from typing import Any

from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import OperatorClient, operator_client

_EXAMPLES = """\
  zaffa campaigns list
  zaffa campaigns show 0197f3a2-…     how far it got, and why it paused if it did so by itself
  zaffa campaigns start 0197f3a2-…
  zaffa campaigns pause 0197f3a2-…    nothing more leaves from the moment this is answered
  zaffa campaigns resume 0197f3a2-…
  zaffa campaigns cancel 0197f3a2-…   for good

A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

_DEEDS: Mapping[str, str] = {
    "start": "begin to send a draft",
    "pause": "send nothing of it for now",
    "resume": "go on with a paused one",
    "cancel": "send nothing more of it, for good",
}

_PAGE = "200"


def add_to(commands: Commands) -> None:
    command = add_command(commands, "campaigns", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="every campaign, newest first")
    for action, what in {"show": "how far it got", **_DEEDS}.items():
        actions.add_parser(action, help=what).add_argument("campaign", metavar="ID")


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    loaded = settings(given)
    scope = Scope.CAMPAIGNS
    async with operator_client(loaded, url=given.url, key=given.key, scope=scope) as client:
        if given.action == "list":
            await _list(client)
        elif given.action == "show":
            _show(await client.ask("GET", "campaigns", given.campaign))
        else:
            _show(await client.ask("POST", "campaigns", given.campaign, given.action))
    return 0


async def _list(client: OperatorClient) -> None:
    query = [("limit", _PAGE)]
    while True:
        page = await client.ask("GET", "campaigns", query=query)
        for each in page["campaigns"]:
            _print(_line(each))
        if page["cursor"] is None:
            return
        query = [("limit", _PAGE), ("cursor", page["cursor"])]


def _show(campaign: Mapping[str, Any]) -> None:
    _print(_line(campaign))
    counts = "  ".join(f"{state} {count}" for state, count in campaign["counts"].items() if count)
    whole = "" if campaign["planned"] else ", more to come"
    _print(f"{campaign['targeted']} pushes{whole}  {counts}")


def _line(campaign: Mapping[str, Any]) -> str:
    at = (campaign["started_at"] or campaign["created_at"])[:19]
    return (
        f"{campaign['id']}  {at}Z  {campaign['state']:<10} {campaign['name']}"
        f"  {campaign['stopped_reason']}"
    )


def _print(line: str) -> None:
    print(harmless(line).rstrip())
