"""`zaffa templates`: what notifications say, and which version of it is in use."""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kernel.errors import InvalidInput
from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import OperatorClient, operator_client

_EXAMPLES = """\
  zaffa templates list
  zaffa templates show task.reminder                as JSON, to begin from
  zaffa templates put invite invite.json --note "two buttons"
  zaffa templates preview invite --var guests=3 --locale ar-DZ
  zaffa templates preview invite --html invite.html both phones, by day and by night
  zaffa templates publish invite                    the newest version
  zaffa templates publish invite 3
  zaffa templates rollback invite                   to what was in use before
  zaffa templates withdraw task.reminder            back to what came with Zaffa

A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

_ISOLATES = dict.fromkeys((0x2068, 0x2069))

_Act = Callable[[OperatorClient, argparse.Namespace], Awaitable[int]]


def add_to(commands: Commands) -> None:
    command = add_command(commands, "templates", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str, act: _Act, *, named: bool = True) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=about)
        made.set_defaults(act=act)
        if named:
            made.add_argument("name", metavar="NAME")
        return made

    action("list", "all templates, and which version is in use", _list, named=False)
    show = action("show", "a version, by default the newest, as JSON", _show)
    show.add_argument("version", nargs="?", type=int, metavar="VERSION", help="0 is Zaffa's own")
    put = action("put", "write down the next version, and say what is wrong with it", _put)
    put.add_argument("file", type=Path, metavar="FILE", help="the template as JSON; - reads it in")
    put.add_argument("--note", default="", help="why, for those who read it later")
    publish = action("publish", "put a version to use, by default the newest", _publish)
    publish.add_argument("version", nargs="?", type=int, metavar="VERSION")
    action("rollback", "put to use what was in use before", _roll_back)
    action("withdraw", "use none of its versions", _withdraw)
    preview = action("preview", "what it says to whom, and how much that weighs", _preview)
    preview.add_argument("version", nargs="?", type=int, metavar="VERSION")
    preview.add_argument("--locale", action="append", default=[], metavar="TAG")
    preview.add_argument("--var", action="append", default=[], metavar="NAME=VALUE")
    preview.add_argument("--html", type=Path, metavar="FILE", help="write the page there")


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    loaded, scope = settings(given), Scope.TEMPLATES
    async with operator_client(loaded, url=given.url, key=given.key, scope=scope) as client:
        act: _Act = given.act
        return await act(client, given)


async def _list(client: OperatorClient, _given: argparse.Namespace) -> int:
    cursor: str | None = None
    named: set[str] = set()
    while True:
        query = [("cursor", cursor)] if cursor else None
        page = await client.ask("GET", "templates", query=query)
        for each in page["templates"]:
            named.add(each["name"])
            _print(_standing(each))
        cursor = page["cursor"]
        if cursor is None:
            break
    for name in page["built_in"]:
        if name not in named:
            _print(f"{name:<32} came with Zaffa")
    return 0


async def _show(client: OperatorClient, given: argparse.Namespace) -> int:
    found = await client.ask("GET", "templates", given.name, query=_version(given))
    for line in json.dumps(found["template"], ensure_ascii=False, indent=2).split("\n"):
        print(harmless(line))
    _tell(f"{_named(found)}, written {_instant(found['created_at'])} by {found['created_by']}")
    if found["note"]:
        _tell(found["note"])
    for each in found["publications"]:
        what = f"version {each['version']}" if each["version"] else "none"
        _tell(f"{_instant(each['published_at'])} {what} in use, by {each['published_by']}")
    _problems(found)
    return 0


async def _put(client: OperatorClient, given: argparse.Namespace) -> int:
    text = sys.stdin.read() if str(given.file) == "-" else given.file.read_text("utf-8")
    try:
        template = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(str(given.file), f"is not JSON: {error}") from None
    body = {"template": template, "note": given.note}
    made = await client.ask("PUT", "templates", given.name, body=body)
    _print(f"{_named(made)} is written down")
    return 1 if _problems(made) else 0


async def _publish(client: OperatorClient, given: argparse.Namespace) -> int:
    body = {} if given.version is None else {"version": given.version}
    _print(_standing(await client.ask("POST", "templates", given.name, "publish", body=body)))
    return 0


async def _roll_back(client: OperatorClient, given: argparse.Namespace) -> int:
    _print(_standing(await client.ask("POST", "templates", given.name, "rollback", body={})))
    return 0


async def _withdraw(client: OperatorClient, given: argparse.Namespace) -> int:
    _print(_standing(await client.ask("POST", "templates", given.name, "withdraw", body={})))
    return 0


async def _preview(client: OperatorClient, given: argparse.Namespace) -> int:
    query = [*_version(given), *(("locale", each) for each in given.locale)]
    query += [("variable", each) for each in given.var]
    path = ("templates", given.name, "preview")
    if given.html is not None:
        given.html.write_text(await client.page(*path, query=query), "utf-8")
        _print(f"written to {given.html}")
        return 0
    found = await client.ask("GET", *path, query=query)
    for each in found["previews"]:
        cut = ", shortened" if each["shortened"] else ""
        _print(f"{each['locale']} reads {each['language']}: {_weight(each)}{cut}")
        for line in (each["title"], *each["body"].splitlines()):
            _print(f"  {line}")
        for action in each["actions"]:
            _print(f"  [{action['title']}] {action['link']}")
        if each["link"]:
            _print(f"  opens {each['link']}")
    return 1 if _problems(found) else 0


def _weight(preview: dict[str, Any]) -> str:
    return ", ".join(
        f"{each['provider']} {each['refused'] or str(each['size']) + ' of ' + str(each['limit'])}"
        for each in preview["providers"]
    )


def _problems(found: dict[str, Any]) -> bool:
    """Tell what is wrong; whether any of it is fatal."""
    for each in found["problems"]:
        where = " ".join(filter(None, (each["locale"], each["field"])))
        sign = "must be mended" if each["fatal"] else "advice"
        _tell(f"{sign}: {where + ': ' if where else ''}{each['message']}")
    return any(each["fatal"] for each in found["problems"])


def _version(given: argparse.Namespace) -> list[tuple[str, str]]:
    return [] if given.version is None else [("version", str(given.version))]


def _named(version: dict[str, Any]) -> str:
    if not version["version"]:
        return f"{version['name']}, as it came with Zaffa"
    return f"{version['name']} version {version['version']}"


def _standing(standing: dict[str, Any]) -> str:
    live = f"version {standing['live']} in use" if standing["live"] else "not in use"
    return f"{standing['name']:<32} {live}, newest is {standing['newest']}"


def _instant(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _print(text: str) -> None:
    # A terminal has no use for the isolates, and would be shown their numbers.
    print(harmless(text.translate(_ISOLATES)).rstrip())


def _tell(text: str) -> None:
    print(harmless(text), file=sys.stderr)
