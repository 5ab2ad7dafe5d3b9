"""`zaffa providers`: do FCM, APNs and Web Push take our credentials?"""

import argparse
import asyncio

from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import operator_client

_EXAMPLES = """\
  zaffa providers check              every app's credentials, by a trial that reaches no device
  zaffa providers check --app shop   those of one app

The exit code is 0 only if every provider took them. A running node is asked, by default the one
on this machine; without --key, a key is made in the database and revoked afterwards.
"""

_WORDS = {True: "taken", False: "REFUSED", None: "unknown"}


def add_to(commands: Commands) -> None:
    command = add_command(commands, "providers", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="show every credential to its provider")
    check.add_argument("--app", default="", metavar="APP", help="only this app's")


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_check(given))


async def _check(given: argparse.Namespace) -> int:
    loaded = settings(given)
    async with operator_client(loaded, url=given.url, key=given.key, scope=Scope.OPERATE) as client:
        found = await client.ask("POST", "providers", "check", body={"app_id": given.app})
    for each in found["checks"]:
        line = f"{each['app_id']:<24} {each['route']:<13} {_WORDS[each['taken']]:<10}"
        print(harmless(f"{line} {each['fingerprint']}  {each['reason']}").rstrip())
    if not found["checks"]:
        print("No app has credentials.")
    return 0 if found["checks"] and all(each["taken"] for each in found["checks"]) else 1
