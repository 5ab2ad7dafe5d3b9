"""`zaffa apps`: several apps in one house, and what each shows to providers."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import OperatorClient, operator_client
from server.wiring.providers import make_sealing_key

_EXAMPLES = """\
  zaffa apps list
  zaffa apps put shop --name "Zaffa Shop"
  zaffa apps fcm shop service-account.json
  zaffa apps apns shop AuthKey.p8 --key-id AB12CD34EF --team-id T000000000 --topic dz.zaffa.shop
  zaffa apps webpush shop vapid.pem --subject mailto:push@example.dz
  zaffa apps unset shop fcm
  zaffa apps remove shop
  zaffa apps make-key 2026-11           a line for ZAFFA_CREDENTIALS_KEYS
  zaffa apps reseal                     seal everything with the first of these keys

The app `default` is always there; without credentials in the database it shows those of the
settings. A change reaches every node within seconds, without a restart. A running node is asked,
by default the one on this machine; without --key, a key is made in the database and revoked
afterwards.
"""

_Act = Callable[[OperatorClient, argparse.Namespace], Awaitable[int]]


def add_to(commands: Commands) -> None:
    command = add_command(commands, "apps", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str, act: _Act) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=about)
        made.set_defaults(act=act)
        return made

    action("list", "every app, and which credentials it shows", _list)
    put = action("put", "make an app, or rename it", _put)
    put.add_argument("app", metavar="APP")
    put.add_argument("--name", required=True)
    remove = action("remove", "delete an app and its credentials", _remove)
    remove.add_argument("app", metavar="APP")
    fcm = action("fcm", "show this service account to FCM", _fcm)
    apns = action("apns", "sign with this key for APNs", _apns)
    webpush = action("webpush", "sign with this VAPID key for browsers", _webpush)
    for each in (fcm, apns, webpush):
        each.add_argument("app", metavar="APP")
        each.add_argument("file", type=Path, metavar="FILE")
    for name in ("--key-id", "--team-id", "--topic"):
        apns.add_argument(name, required=True)
    webpush.add_argument("--subject", required=True, help="mailto:… or https://…")
    unset = action("unset", "delete a credential of an app", _unset)
    unset.add_argument("app", metavar="APP")
    unset.add_argument("provider", choices=("fcm", "apns", "webpush"))
    action("reseal", "seal every credential with the first key of the settings", _reseal)
    made_key = actions.add_parser("make-key", help="make a key for ZAFFA_CREDENTIALS_KEYS")
    made_key.add_argument("id", metavar="ID", help="a name for it, such as 2026-11")
    made_key.set_defaults(act=None)


def _run(given: argparse.Namespace) -> int:
    if given.act is None:
        print(make_sealing_key(given.id))
        return 0
    if "file" in given:
        try:
            given.secret = given.file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            print(f"{given.file} cannot be read: {type(error).__name__}", file=sys.stderr)
            return 1
    return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    loaded = settings(given)
    async with operator_client(loaded, url=given.url, key=given.key, scope=Scope.OPERATE) as client:
        act: _Act = given.act
        return await act(client, given)


async def _list(client: OperatorClient, given: argparse.Namespace) -> int:
    for app in (await client.ask("GET", "apps"))["apps"]:
        _print(f"{app['id']:<24} {app['name']}")
        for each in app["credentials"]:
            _print(f"  {_credential(each)}")
    return 0


async def _put(client: OperatorClient, given: argparse.Namespace) -> int:
    made = await client.ask("PUT", "apps", given.app, body={"name": given.name})
    _print(f"app {made['id']} ({made['name']})")
    return 0


async def _remove(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.ask("DELETE", "apps", given.app)
    _print(f"app {given.app} is removed; its devices follow at night")
    return 0


async def _fcm(client: OperatorClient, given: argparse.Namespace) -> int:
    return await _show(client, given, "fcm")


async def _apns(client: OperatorClient, given: argparse.Namespace) -> int:
    named = {"key_id": given.key_id, "team_id": given.team_id, "topic": given.topic}
    return await _show(client, given, "apns", **named)


async def _webpush(client: OperatorClient, given: argparse.Namespace) -> int:
    return await _show(client, given, "webpush", subject=given.subject)


async def _show(
    client: OperatorClient, given: argparse.Namespace, provider: str, **named: str
) -> int:
    body = {"secret": given.secret, **named}
    kept = await client.ask("PUT", "apps", given.app, "credentials", provider, body=body)
    _print(_credential(kept))
    return 0


async def _unset(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.ask("DELETE", "apps", given.app, "credentials", given.provider)
    _print(f"{given.app} shows this credential to {given.provider} no more")
    return 0


async def _reseal(client: OperatorClient, given: argparse.Namespace) -> int:
    done = await client.ask("POST", "credentials", "reseal")
    _print(f"credentials sealed anew: {done['resealed']}")
    return 0


def _credential(each: dict[str, Any]) -> str:
    details = " ".join(f"{name}={text}" for name, text in sorted(each["details"].items()))
    source = "settings" if each["version"] is None else f"version {each['version']}"
    return f"{each['provider']:<8} {source:<11} {each['fingerprint']}  {details}"


def _print(text: str) -> None:
    print(harmless(text).rstrip())
