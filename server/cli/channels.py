"""`zaffa channels`: who listens where, and what is published there."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import OperatorClient, operator_client

_EXAMPLES = """\
  zaffa channels list                            all channels that somebody listens to
  zaffa channels list 'news:*'
  zaffa channels who news:sport                  the connections in a channel
  zaffa channels publish news:sport '{"score": "2:1"}' --tag match=17
  zaffa channels history news:sport --limit 5    the newest first
  zaffa channels clear news:sport                remove the history; offsets go on

A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

_Act = Callable[[OperatorClient, argparse.Namespace], Awaitable[None]]


def add_to(commands: Commands) -> None:
    command = add_command(commands, "channels", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str, act: _Act) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=about)
        made.set_defaults(act=act)
        return made

    listing = action("list", "channels with their numbers of listeners, on all nodes", _list)
    listing.add_argument("pattern", nargs="?", default="", metavar="PATTERN")
    who = action("who", "the connections in a channel", _who)
    who.add_argument("channel", metavar="CHANNEL")
    publish = action("publish", "publish to a channel", _publish)
    publish.add_argument("channel", metavar="CHANNEL")
    publish.add_argument("data", type=_json, metavar="JSON")
    publish.add_argument(
        "--tag", action="append", default=[], type=_tag, metavar="NAME=TEXT", dest="tags"
    )
    history = action("history", "what was published to a channel", _history)
    history.add_argument("channel", metavar="CHANNEL")
    history.add_argument("--limit", type=int, default=20, help="how much of it")
    clear = action("clear", "remove the history of a channel", _clear)
    clear.add_argument("channel", metavar="CHANNEL")


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    loaded = settings(given)
    client = operator_client(loaded, url=given.url, key=given.key, scope=Scope.CHANNELS)
    async with client as asking:
        act: _Act = given.act
        await act(asking, given)
    return 0


async def _list(client: OperatorClient, given: argparse.Namespace) -> None:
    found = (await client.call("channels", pattern=given.pattern))["channels"]
    for name, told in sorted(found.items()):
        print(f"{told['num_clients']:>7}  {harmless(name)}")


async def _who(client: OperatorClient, given: argparse.Namespace) -> None:
    found = (await client.call("presence", channel=given.channel))["presence"]
    for each in sorted(found.values(), key=lambda each: (each["user"], each["client"])):
        infos = [each[name] for name in ("conn_info", "chan_info") if name in each]
        print(harmless(f"{each['client']}  {each['user']:<24} {_text(infos)}"))


async def _publish(client: OperatorClient, given: argparse.Namespace) -> None:
    made = await client.call(
        "publish", channel=given.channel, data=given.data, tags=dict(given.tags)
    )
    print(f"published at {made['offset']}" if "offset" in made else "published")


async def _history(client: OperatorClient, given: argparse.Namespace) -> None:
    found = await client.call("history", channel=given.channel, limit=given.limit, reverse=True)
    for each in found["publications"]:
        print(harmless(f"{each['offset']:>7}  {_text([each['data']])} {_tags(each)}").rstrip())


async def _clear(client: OperatorClient, given: argparse.Namespace) -> None:
    await client.call("history_remove", channel=given.channel)
    print(f"the history of {harmless(given.channel)} is removed")


def _text(values: list[Any]) -> str:
    return " ".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in values)


def _tags(publication: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={text}" for name, text in publication.get("tags", {}).items())


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is no JSON: {error}") from None


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("must be NAME=TEXT")
    return name, value
