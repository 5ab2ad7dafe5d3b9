"""`zaffa audit`: who did what to what, and when."""

import argparse
import asyncio

from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import operator_client

_EXAMPLES = """\
  zaffa audit                            the last 50 records, newest first
  zaffa audit --action credential        every change of credentials
  zaffa audit --subject app:shop
  zaffa audit --user amina --limit 500   what concerned a user

A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

PAGE = 200


def add_to(commands: Commands) -> None:
    command = add_command(commands, "audit", examples=_EXAMPLES, run=_run)
    add_address(command)
    command.add_argument("--actor", default="", help="key:ID, user:ID or system")
    command.add_argument("--action", default="", help="such as credential.changed, or credential")
    command.add_argument("--subject", default="", help="such as app:shop")
    command.add_argument("--user", default="", metavar="USER", help="whom it concerned")
    command.add_argument("--limit", type=int, default=50, help="how many records, at most")


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_read(given))


async def _read(given: argparse.Namespace) -> int:
    asked = {
        "actor": given.actor,
        "action": given.action,
        "subject": given.subject,
        "user_id": given.user,
    }
    left = given.limit
    loaded = settings(given)
    async with operator_client(loaded, url=given.url, key=given.key, scope=Scope.OPERATE) as client:
        while left > 0:
            asked["limit"] = str(min(left, PAGE))
            query = [each for each in asked.items() if each[1]]
            page = await client.ask("GET", "audit", query=query)
            for each in page["records"]:
                details = " ".join(f"{name}={value}" for name, value in each["details"].items())
                about = f" ({each['user_id']})" if each["user_id"] else ""
                line = f"{each['at'][:19]}Z  {each['action']:<22} {each['subject']}{about}"
                print(harmless(f"{line}  by {each['actor']}  {details}").rstrip())
            left -= len(page["records"])
            if page["cursor"] is None:
                break
            asked["cursor"] = page["cursor"]
    return 0
