"""`zaffa push dead`: pushes whose every attempt failed, seen and tried again."""

import argparse
import json
from collections.abc import Mapping
from typing import Any

from kernel.notices import Urgency
from notifications.types import Route
from server.cli.common import Commands
from server.logs import harmless
from server.operator_client import OperatorClient

EXAMPLES = """\
  zaffa push dead list
  zaffa push dead list --route apns --reason InternalServerError
  zaffa push dead show 0197f3a2-…          what it said, and every attempt
  zaffa push dead redrive 0197f3a2-…       one of them, again
  zaffa push dead redrive --route fcm --urgency transactional --hours 2
"""

_PAGE = 200
_AT_ONCE = 1000


def add_to(actions: Commands) -> None:
    """Declare what can be done about dead pushes."""
    dead = actions.add_parser("dead", help="pushes whose every attempt failed")
    deeds = dead.add_subparsers(dest="deed", metavar="DEED", required=True)

    listed = deeds.add_parser("list", help="the last to die first")
    listed.set_defaults(act=_list)
    _add_query(listed)
    shown = deeds.add_parser("show", help="what one said, and why it died")
    shown.set_defaults(act=_show)
    shown.add_argument("push", metavar="ID")
    redriven = deeds.add_parser("redrive", help="try them again, those that died first")
    redriven.set_defaults(act=_redrive)
    redriven.add_argument("pushes", nargs="*", metavar="ID")
    _add_query(redriven)
    redriven.add_argument(
        "--hours", type=float, help="for how long they matter from now; without it, as they did"
    )


def _add_query(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--app", default="", metavar="ID")
    parser.add_argument("--route", choices=list(Route), type=Route)
    parser.add_argument("--urgency", choices=list(Urgency), type=Urgency)
    parser.add_argument("--reason", default="", help="the provider's last word")


def _query(given: argparse.Namespace) -> dict[str, str]:
    asked = {
        "app_id": given.app,
        "route": given.route,
        "urgency": given.urgency,
        "reason": given.reason,
    }
    return {name: str(value) for name, value in asked.items() if value}


async def _list(client: OperatorClient, given: argparse.Namespace) -> int:
    cursor = None
    while True:
        query = [*_query(given).items(), ("limit", str(_PAGE))]
        query += [("cursor", cursor)] if cursor else []
        page = await client.ask("GET", "dead-pushes", query=query)
        for each in page["pushes"]:
            _print(_line(each))
        cursor = page["cursor"]
        if cursor is None:
            return 0


async def _show(client: OperatorClient, given: argparse.Namespace) -> int:
    found = await client.ask("GET", "dead-pushes", given.push)
    _print(_line(found["push"]))
    _print(f"created {found['push']['created_at']}, matters until {found['push']['expires_at']}")
    for each in found["attempts"]:
        _print(
            f"attempt {each['number']}  {each['settled_at']}  {each['verdict']} {each['reason']}"
        )
    _print(json.dumps(found["content"], ensure_ascii=False, indent=2))
    return 0


async def _redrive(client: OperatorClient, given: argparse.Namespace) -> int:
    body: dict[str, Any] = {**_query(given), "push_ids": given.pushes}
    if given.hours is not None:
        body["expires_after"] = given.hours * 3600
    total = 0
    while True:
        answer = await client.ask("POST", "dead-pushes", "redrive", body=body)
        total += len(answer["push_ids"])
        if given.pushes or len(answer["push_ids"]) < _AT_ONCE:
            break
    _print(f"{total} pushes wait again")
    return 0


def _line(push: Mapping[str, Any]) -> str:
    return (
        f"{push['id']}  {push['died_at']}  {push['app_id']}  {push['route']:<12} "
        f"{push['urgency']:<13} {push['attempts']} attempts  {push['user_id']}  {push['reason']}"
    )


def _print(line: str) -> None:
    print(harmless(line).rstrip())
