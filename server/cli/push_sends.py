"""`zaffa push send`, `status`, `follow` and `cancel`: what servers ask for, asked by hand."""

import argparse
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import uuid4

from server.cli.common import Commands
from server.logs import harmless
from server.operator_client import OperatorClient

EXAMPLES = """\
  zaffa push send --user amina --title Zaffa --body "Vendredi, 20 h"
  zaffa push send --list guests --title Zaffa --body "Vendredi, 20 h" --follow
  zaffa push send --user amina --template booking.confirmed --variable hall=Andalous
  zaffa push send --topic news --title Zaffa --body Salon --dry-run
  zaffa push send --file push.json              the body that the API takes
  zaffa push status                             the latest sends
  zaffa push status ID --devices                and each device of one
  zaffa push follow ID
  zaffa push cancel ID                          what has not left yet
"""

_Act = Callable[[OperatorClient, argparse.Namespace], Awaitable[int]]

_SHOWN = ("queued", "held", "sending", "retry", "accepted", "rejected", "suppressed", "expired")


def add_to(actions: Commands) -> None:
    """Declare what can be done with sends."""

    def action(name: str, about: str, act: _Act) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=about)
        made.set_defaults(act=act)
        return made

    _add_send(action("send", "have somebody told something", _send))
    status = action("status", "what became of a send, or the latest sends", _status)
    status.add_argument("id", nargs="?", metavar="ID")
    status.add_argument("--devices", action="store_true", help="each device as well")
    follow = action("follow", "watch a send until it is over", _follow)
    follow.add_argument("id", metavar="ID")
    cancel = action("cancel", "stop what has not left yet", _cancel)
    cancel.add_argument("id", metavar="ID")


def _add_send(send: argparse.ArgumentParser) -> None:
    whom = send.add_argument_group("whom", "one kind of these, or --file")
    whom.add_argument("--user", action="append", default=[], metavar="USER", dest="user_ids")
    whom.add_argument("--device", action="append", default=[], metavar="ID", dest="device_ids")
    whom.add_argument("--list", metavar="LIST", dest="list_id")
    whom.add_argument("--topic", metavar="TOPIC")
    whom.add_argument("--condition", metavar="CONDITION")
    what = send.add_argument_group("what")
    what.add_argument("--title")
    what.add_argument("--body")
    what.add_argument("--template", metavar="NAME")
    what.add_argument(
        "--variable", action="append", default=[], type=_pair, metavar="NAME=TEXT", dest="variables"
    )
    what.add_argument("--link")
    what.add_argument("--image", metavar="URL")
    what.add_argument(
        "--data", action="append", default=[], type=_pair, metavar="NAME=TEXT", dest="data"
    )
    what.add_argument("--category")
    what.add_argument("--urgency", choices=("interactive", "transactional", "marketing"))
    what.add_argument("--file", type=Path, metavar="FILE", help="JSON that the API takes; - reads")
    how = send.add_argument_group("how")
    how.add_argument("--idempotency-key", metavar="KEY", help="made here if it is not given")
    how.add_argument("--dry-run", action="store_true", help="say who would get what; send nothing")
    how.add_argument("--test", action="store_true", help="to ten at most, at once")
    how.add_argument("--follow", action="store_true", help="watch it until it is over")


async def _send(client: OperatorClient, given: argparse.Namespace) -> int:
    body = _body(given)
    if given.dry_run:
        return _rehearsed(await _dry_run(client, body))
    sent = await client.ask("POST", "pushes", body=body)
    _print(f"{sent['id']}  to {sent['targeted']}" if sent["targeted"] else sent["id"])
    return await _watch(client, sent["id"]) if given.follow else 0


async def _dry_run(client: OperatorClient, body: dict[str, Any]) -> dict[str, Any]:
    """What it would do; a long list is counted to its end."""
    told: dict[str, Any] = await client.ask("POST", "pushes", "dry-run", body=body)
    while told["census"] and (cursor := told["census"]["cursor"]):
        print(f"{told['census']['users']} of {told['targeted']} counted", file=sys.stderr)
        more = await client.ask("POST", "pushes", "dry-run", body={**body, "cursor": cursor})
        told = {**more, "users": told["users"]}
    return told


def _body(given: argparse.Namespace) -> dict[str, Any]:
    """What the API takes: that of the file, and whatever the command says beside it."""
    body: dict[str, Any] = {}
    if given.file is not None:
        text = sys.stdin.read() if str(given.file) == "-" else given.file.read_text("utf-8")
        body = json.loads(text)
    names = ("user_ids", "device_ids", "list_id", "topic", "condition", "template", "link", "image")
    for name in (*names, "category", "urgency", "test"):
        if value := getattr(given, name):
            body[name] = value
    variables = dict(given.variables)
    for name in ("title", "body"):
        if (words := getattr(given, name)) is not None:
            variables[name] = words
    if variables:
        body["variables"] = {**body.get("variables", {}), **variables}
    if given.data:
        body["data"] = {**body.get("data", {}), **dict(given.data)}
    if given.idempotency_key or "idempotency_key" not in body:
        body["idempotency_key"] = given.idempotency_key or f"command:{uuid4().hex}"
    return body


def _rehearsed(told: dict[str, Any]) -> int:
    _print(f"{told['targeted']} targeted, {told['would_reach']} devices would get it")
    if census := told["census"]:
        _print(f"  {census['later']} of them later")
        _print(f"  {census['without_device']} users have no device")
        for reason, devices in sorted(census["why_not"].items()):
            _print(f"  {devices} devices not: {reason}")
        _print(f"the first {len(told['users'])} users:")
    for user in told["users"]:
        if not user["devices"]:
            _print(f"  {user['user_id']:<24} {user['reason']}")
        for each in user["devices"]:
            until = f" not before {each['until']}" if each["until"] else ""
            words = f"{each['title']}: {each['body']}" if each["would"] else "-"
            _print(
                f"  {user['user_id']:<24} {each['device_id']} {each['route']:<12}",
                f"{words}  {each['reason']}{until}",
            )
    for unknown in told["unknown_device_ids"]:
        _print(f"  {unknown} is no device")
    if told["topic_content"]:
        content = told["topic_content"]
        _print(f"  {content.get('title', '')}: {content.get('body', '')}")
    return 0


async def _status(client: OperatorClient, given: argparse.Namespace) -> int:
    if given.id is None:
        for each in (await client.ask("GET", "sends"))["sends"]:
            _print(_sent(each))
        return 0
    told = await client.ask("GET", "sends", given.id)
    _print(_sent(told["send"]))
    _print(_line(told))
    if given.devices:
        await _devices(client, given.id)
    return 0


async def _devices(client: OperatorClient, send_id: str) -> None:
    cursor = None
    while True:
        query = [("cursor", cursor)] if cursor else None
        page = await client.ask("GET", "sends", send_id, "pushes", query=query)
        for each in page["pushes"]:
            reports = " ".join(sorted(each["reports"]))
            whom = each["user_id"] or "topic"
            _print(
                f"  {whom:<24} {each['device_id'] or '-':<36} {each['route']:<12}",
                f"{each['state']:<11} {len(each['attempts'])} tries  {each['reason']} {reports}",
            )
        cursor = page["cursor"]
        if cursor is None:
            return


async def _follow(client: OperatorClient, given: argparse.Namespace) -> int:
    return await _watch(client, given.id)


async def _watch(client: OperatorClient, send_id: str) -> int:
    """Show progress as it comes; the exit code is 0 if it went to its end."""
    over = False
    following = client.follow("sends", send_id, "follow", query=[])
    async with aclosing(following):
        async for told in following:
            _print(_line(told))
            over = told["over"]
    return 0 if over else 1


async def _cancel(client: OperatorClient, given: argparse.Namespace) -> int:
    _print(_line(await client.ask("POST", "sends", given.id, "cancel")))
    return 0


def _sent(send: dict[str, Any]) -> str:
    (whom, named) = next(iter(send["audience"].items()))
    named = named if isinstance(named, str) else f"{len(named)}"
    test = " test" if send["test"] else ""
    return f"{send['id']}  {send['created_at'][:19]}Z  {send['urgency']:<13} {whom}={named}{test}"


def _line(told: dict[str, Any]) -> str:
    """How far a send got, as people read it: what is 0 is left out."""
    counts = [f"{each} {told['counts'][each]}" for each in _SHOWN if told["counts"].get(each)]
    counts += [f"{each} {n}" for each, n in told["counts"].items() if n and each not in _SHOWN]
    reports = [f"{each} {n}" for each, n in sorted(told["reports"].items())]
    users = f"{told['told']}/{told['send']['targeted']} told, {told['unreachable']} unreachable"
    return "  ".join([f"{told['state']:<9}", users, *counts, *reports])


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("must be NAME=TEXT")
    return name, value


def _print(*parts: str) -> None:
    print(harmless(" ".join(parts)).rstrip(), flush=True)
