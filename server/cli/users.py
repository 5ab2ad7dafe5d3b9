"""`zaffa users`: who is there, with what, and who may not come in."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from kernel.clock import SystemClock
from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.logs import harmless
from server.operator_client import OperatorClient, operator_client

_EXAMPLES = """\
  zaffa users status amina karim
  zaffa users connections amina
  zaffa users connections --label plan=gold
  zaffa users disconnect amina
  zaffa users block amina --hours 24 --reason "spam in three groups"
  zaffa users unblock amina
  zaffa users blocks
  zaffa users revoke-tokens amina          all that were issued before now
  zaffa users revoke-token 0b1c2d3e        one, by its jti
  zaffa users forget amina                 when amina was there

A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

_Act = Callable[[OperatorClient, argparse.Namespace], Awaitable[int]]


def add_to(commands: Commands) -> None:
    command = add_command(commands, "users", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str, act: _Act) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=about)
        made.set_defaults(act=act)
        return made

    status = action("status", "who is online, active, last seen when", _status)
    status.add_argument("users", nargs="+", metavar="USER")
    connections = action("connections", "live connections on all nodes", _connections)
    connections.add_argument("user", nargs="?", metavar="USER")
    connections.add_argument("--label", action="append", default=[], metavar="NAME=TEXT")
    connections.add_argument("--app", default="", metavar="NAME", help="what clients call it")
    block = action("block", "keep a user out, and end what they have open", _block)
    block.add_argument("user", metavar="USER")
    block.add_argument("--hours", type=float, help="for how long; without it, until unblocked")
    block.add_argument("--reason", default="", help="for other operators to read")
    disconnect = action(
        "disconnect", "close a user's connections; the user may come again", _disconnect
    )
    disconnect.add_argument("user", metavar="USER")
    disconnect.add_argument("--client", default="", help="only the connection with this id")
    unblock = action("unblock", "let a user in again", _unblock)
    unblock.add_argument("user", metavar="USER")
    action("blocks", "all blocked users", _blocks)
    revoke = action("revoke-token", "accept one token no more", _revoke_token)
    revoke.add_argument("jti", metavar="JTI")
    every = action("revoke-tokens", "accept no token of a user that was issued so far", _revoke)
    every.add_argument("user", metavar="USER")
    every.add_argument("--channel", default="", help="only subscription tokens of this channel")
    forget = action("forget", "remove all that is kept of when a user was there", _forget)
    forget.add_argument("user", metavar="USER")


def add_address(command: argparse.ArgumentParser) -> None:
    """Which node is asked, and with which key."""
    command.add_argument("--url", default="", help="a node, such as http://127.0.0.1:8000")
    command.add_argument("--key", default="", help="an API key; made here for this command if not")


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    loaded = settings(given)
    async with operator_client(loaded, url=given.url, key=given.key, scope=Scope.USERS) as client:
        act: _Act = given.act
        return await act(client, given)


async def _status(client: OperatorClient, given: argparse.Namespace) -> int:
    found = await client.ask("POST", "users", "status", body={"user_ids": given.users})
    for each in found["statuses"]:
        state = "online" if each["online"] else "offline"
        active = "active" if each["active"] else ""
        _print(f"{each['user_id']:<24}", f"{state:<8}", f"{active:<7}", _seen(each))
    return 0


def _seen(status: dict[str, Any]) -> str:
    if status["online"]:
        return ""
    if status["last_seen_at"] is None:
        return "never seen"
    return f"last seen {_instant(status['last_seen_at'])}"


async def _connections(client: OperatorClient, given: argparse.Namespace) -> int:
    query = [("label", each) for each in given.label]
    query += [("app_name", given.app)] if given.app else []
    query += [("user_id", given.user)] if given.user else []
    found = await client.ask("GET", "connections", query=query)
    for each in found["connections"]:
        labels = " ".join(f"{name}={text}" for name, text in sorted(each["labels"].items()))
        app = f"{each['app_name']}/{each['app_version']}".strip("/") or "-"
        _print(
            f"{each['client']}  {each['user_id']:<24} {each['node'][:8]}",
            f"{each['transport']}/{each['protocol']:<9} {_instant(each['connected_at'])}",
            f"{app:<16} {len(each['channels'])} channels  {labels}",
        )
    if found["more"]:
        print("There are more.", file=sys.stderr)
    if found["missing"]:
        print(f"Not heard: {', '.join(found['missing'])}.", file=sys.stderr)
    return 1 if found["missing"] else 0


async def _block(client: OperatorClient, given: argparse.Namespace) -> int:
    body = {"reason": given.reason}
    if given.hours is not None:
        body["until"] = (SystemClock().now() + timedelta(hours=given.hours)).isoformat()
    made = await client.ask("PUT", "users", given.user, "block", body=body)
    _print(_blocked(made))
    return 0


async def _disconnect(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.call("disconnect", user=given.user, client=given.client)
    _print(f"every node is told to disconnect {given.user}")
    return 0


async def _unblock(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.ask("DELETE", "users", given.user, "block")
    _print(f"{given.user} may come in again")
    return 0


async def _blocks(client: OperatorClient, given: argparse.Namespace) -> int:
    cursor = None
    while True:
        page = await client.ask("GET", "blocks", query=[("cursor", cursor)] if cursor else None)
        for each in page["blocks"]:
            _print(_blocked(each))
        cursor = page["cursor"]
        if cursor is None:
            return 0


async def _revoke_token(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.ask("POST", "tokens", "revoke", body={"token_id": given.jti})
    _print(f"the token {given.jti} is revoked")
    return 0


async def _revoke(client: OperatorClient, given: argparse.Namespace) -> int:
    made = await client.ask(
        "POST", "users", given.user, "tokens", "invalidate", body={"channel": given.channel}
    )
    _print(f"tokens of {given.user} issued before {made['issued_before']} are invalid")
    return 0


async def _forget(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.ask("DELETE", "users", given.user, "status")
    _print(f"nothing is kept of when {given.user} was there")
    return 0


def _blocked(block: dict[str, Any]) -> str:
    until = f"until {_instant(block['until'])}" if block["until"] else "until unblocked"
    return f"{block['user_id']:<24} blocked {until}  {block['reason']}".rstrip()


def _instant(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _print(*parts: str) -> None:
    print(harmless(" ".join(parts)).rstrip())
