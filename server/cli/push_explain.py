"""`zaffa push explain`: why somebody was told something, or was not, or would be."""

import argparse
import sys
from typing import Any

from kernel.notices import Urgency
from server.cli.common import Commands
from server.logs import harmless
from server.operator_client import OperatorClient

EXAMPLES = """\
  zaffa push explain 0190a1b2-…                      a push or a notification, by its id
  zaffa push explain --user amina --category chat    one that is imagined
  zaffa push explain --user amina --category marketing --urgency marketing --at 2027-02-10T22:00Z
"""


def add_to(actions: Commands) -> None:
    """Declare the command."""
    command = actions.add_parser("explain", help="why somebody was told or not, or would be")
    command.set_defaults(act=_explain)
    command.add_argument("id", nargs="?", metavar="ID", help="of a push or a notification")
    command.add_argument("--user", metavar="USER", help="whom an imagined push is for")
    command.add_argument("--category", help="of an imagined push, such as chat or marketing")
    command.add_argument("--urgency", default=Urgency.TRANSACTIONAL, choices=list(Urgency))
    command.add_argument("--thread", default="", help="what it is about, such as a conversation")
    command.add_argument("--device", metavar="ID", help="only this device")
    command.add_argument("--at", metavar="TIME", help="when, such as 2027-02-10T22:00Z")
    command.add_argument("--exact", action="store_true", help="the user chose this very time")


async def _explain(client: OperatorClient, given: argparse.Namespace) -> int:
    if given.id is None and not (given.user and given.category):
        print("Name a push by its id, or imagine one: --user and --category.", file=sys.stderr)
        return 2
    asked: dict[str, Any] = {"id": given.id}
    if given.id is None:
        asked = {
            "user_id": given.user,
            "category": given.category,
            "urgency": given.urgency,
            "thread": given.thread,
            "device_id": given.device,
            "at": given.at,
            "exact": given.exact,
        }
    told = await client.ask("POST", "pushes", "explain", body=asked)
    print(harmless(f"{told['category']} ({told['urgency']}) for {told['user_id']}"))
    for device in told["devices"]:
        for line in lines_of(device):
            print(harmless(line))
    return 0


def lines_of(device: dict[str, Any]) -> list[str]:
    """What there is to say about one device: the decision, then every rule."""
    name = f"{device['platform'] or 'device'} {device['device_id'] or '(any)'}"
    lines = [f"{name}: {_decision(device)}"]
    if push := device["push"]:
        reason = f", {push['reason']}" if push["reason"] else ""
        lines.append(f"  on record     {push['state']}{reason}, due {push['due_at']}")
    lines += [f"  {each['rule']:<13} {each['why']}" for each in device["rules"]]
    return lines


def _decision(device: dict[str, Any]) -> str:
    match device["answer"]:
        case None:
            return "the device is gone"
        case "send":
            return "would be sent"
        case "hold":
            return f"would wait until {device['until']} ({device['reason']})"
        case _:
            return f"would not be sent ({device['reason']})"
