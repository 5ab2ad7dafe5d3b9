"""`zaffa devices`: list, inspect, import and export them; let them and their users go."""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import msgspec

from kernel.identity import Scope
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import OperatorClient, operator_client

_EXAMPLES = """\
  zaffa devices list --app shop --platform ios
  zaffa devices list --user amina
  zaffa devices count
  zaffa devices inspect 01935b7e-8a3b-7c9e-9f43-7a5f4d2c1b0a
  zaffa devices remove 01935b7e-8a3b-7c9e-9f43-7a5f4d2c1b0a
  zaffa devices export devices.jsonl       one JSON a line, with addresses: keep it safe
  zaffa devices import devices.jsonl       again is harmless; what was confirmed later stays
  zaffa devices erase amina                every trace of a user in notifications and reminders

A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

BATCH = 500
PAGE = 1000

_Act = Callable[[OperatorClient, argparse.Namespace], Awaitable[int]]


def add_to(commands: Commands) -> None:
    command = add_command(commands, "devices", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str, act: _Act, scope: Scope) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=about)
        made.set_defaults(act=act, scope=scope)
        return made

    listing = action("list", "devices, the first registered first", _list, Scope.DEVICES)
    export = action("export", "write devices with their addresses", _export, Scope.DEVICES)
    for each in (listing, export):
        each.add_argument("--app", default="", metavar="APP")
        each.add_argument("--user", default="", metavar="USER")
        each.add_argument("--platform", default="", choices=("", "android", "ios", "web"))
        each.add_argument("--state", default="", choices=("", "enabled", "disabled"))
    listing.add_argument("--limit", type=int, default=100, help="how many, at most")
    export.add_argument("file", type=Path, metavar="FILE", help="must not exist")
    action("count", "how many there are, by app, platform and state", _count, Scope.DEVICES)
    inspect = action("inspect", "all that is known of a device", _inspect, Scope.DEVICES)
    remove = action("remove", "send nothing more to a device", _remove, Scope.DEVICES)
    for each in (inspect, remove):
        each.add_argument("device", metavar="DEVICE")
    bring = action("import", "register devices from elsewhere", _import, Scope.DEVICES)
    bring.add_argument("file", type=Path, metavar="FILE", help="as `export` writes it")
    erase = action(
        "erase", "erase a user from notifications and reminders, for good", _erase, Scope.USERS
    )
    erase.add_argument("user", metavar="USER")


def _run(given: argparse.Namespace) -> int:
    with ExitStack() as opened:
        try:
            if given.action == "export":
                # Addresses are in it: for nobody else on this machine.
                given.file.touch(mode=0o600, exist_ok=False)
                given.lines = opened.enter_context(given.file.open("w", encoding="utf-8"))
            elif given.action == "import":
                given.size = given.file.stat().st_size
                given.lines = opened.enter_context(given.file.open(encoding="utf-8"))
        except OSError as error:
            print(f"{given.file}: {error.strerror}", file=sys.stderr)
            return 1
        return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    loaded = settings(given)
    async with operator_client(loaded, url=given.url, key=given.key, scope=given.scope) as client:
        act: _Act = given.act
        return await act(client, given)


async def _list(client: OperatorClient, given: argparse.Namespace) -> int:
    shown = 0
    async for each in _pages(client, given, "devices", limit=min(given.limit, PAGE)):
        _print(
            f"{each['id']}  {each['user_id']:<24} {each['app_id']:<12} {each['platform']:<8}"
            f" {each['address_kind']:<10} {each['locale']:<8} confirmed {each['confirmed_at'][:10]}"
            f"  {_state(each)}"
        )
        shown += 1
        if shown == given.limit:
            break
    return 0


async def _export(client: OperatorClient, given: argparse.Namespace) -> int:
    progress = _Progress(await _expected(client, given))
    lines: TextIO = given.lines
    async for each in _pages(client, given, "device-export", limit=PAGE):
        lines.write(msgspec.json.encode(each).decode() + "\n")
        progress.went_on(1)
    progress.ended(f"{progress.done} devices written to {given.file}")
    return 0


async def _count(client: OperatorClient, given: argparse.Namespace) -> int:
    for each in (await client.ask("GET", "device-counts"))["counts"]:
        _print(
            f"{each['app_id']:<24} {each['platform']:<8} {each['state']:<9} {each['devices']:>9}"
        )
    return 0


async def _inspect(client: OperatorClient, given: argparse.Namespace) -> int:
    found = await client.ask("GET", "devices", given.device)
    for name, value in found["device"].items():
        _print(f"{name:<16} {'' if value is None else value}")
    _print(f"{'registered_at':<16} {found['registered_at']}")
    for urgency in ("interactive", "transactional", "marketing"):
        _print(f"{urgency:<16} {found['obstacles'].get(urgency, 'gets them')}")
    for push in found["pushes"]:
        _print(f"  {push['created_at'][:19]}  {push['id']}  {push['state']:<10} {push['reason']}")
    return 0


async def _remove(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.ask("DELETE", "devices", given.device)
    _print(f"device {given.device} gets nothing more")
    return 0


async def _import(client: OperatorClient, given: argparse.Namespace) -> int:
    progress, sums, first = _Progress(given.size), Counter[str](), 1
    refused = 0
    for batch, size in _batches(given.lines):
        answer = await client.ask("POST", "device-import", body={"devices": batch})
        sums.update(answer["counts"])
        refused += len(answer["refused"])
        for each in answer["refused"]:
            line = first + each["index"]
            print(harmless(f"line {line}: {each['message']} ({each['code']})"), file=sys.stderr)
        first += len(batch)
        progress.went_on(size)
    told = ", ".join(f"{sums[what]} {what}" for what in ("new", "changed", "kept"))
    progress.ended(f"devices imported: {told}, {refused} refused")
    return 1 if refused else 0


async def _erase(client: OperatorClient, given: argparse.Namespace) -> int:
    done = await client.ask("POST", "users", given.user, "notifications", "erase")
    for kind, rows in sorted(done["rows"].items()):
        _print(f"{kind:<16} {rows:>7}")
    return 0


async def _pages(
    client: OperatorClient, given: argparse.Namespace, listing: str, *, limit: int
) -> AsyncIterator[dict[str, Any]]:
    asked = {
        "app_id": given.app,
        "user_id": given.user,
        "platform": given.platform,
        "state": given.state,
        "limit": str(limit),
    }
    while True:
        page = await client.ask("GET", listing, query=[each for each in asked.items() if each[1]])
        for device in page["devices"]:
            yield device
        if page["cursor"] is None:
            return
        asked["cursor"] = page["cursor"]


async def _expected(client: OperatorClient, given: argparse.Namespace) -> int:
    """How many devices an export will have; of one user's, it is known when it is done."""
    if given.user:
        return 0
    return sum(
        each["devices"]
        for each in (await client.ask("GET", "device-counts"))["counts"]
        if given.app in ("", each["app_id"])
        and given.platform in ("", each["platform"])
        and given.state in ("", each["state"])
    )


def _batches(lines: TextIO) -> Iterator[tuple[list[Any], int]]:
    """The devices of a file in batches, each with how many bytes it took. Raises ValueError."""
    batch: list[Any] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        size += len(line.encode())
        if not line.strip():
            continue
        try:
            batch.append(msgspec.json.decode(line))
        except msgspec.DecodeError:
            raise SystemExit(f"line {number} is not JSON") from None
        if len(batch) == BATCH:
            yield batch, size
            batch, size = [], 0
    if batch:
        yield batch, size


class _Progress:
    """How far it got, on the terminal's last line; nothing where there is no terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self.done = 0

    def went_on(self, by: int) -> None:
        before = self.done
        self.done += by
        if self._total and sys.stderr.isatty():
            share, earlier = (min(100 * each // self._total, 100) for each in (self.done, before))
            if share != earlier:
                print(f"\r{share:3d} %", end="", file=sys.stderr, flush=True)

    def ended(self, how: str) -> None:
        if self._total and sys.stderr.isatty():
            print("\r", end="", file=sys.stderr)
        _print(how)


def _state(device: dict[str, Any]) -> str:
    if device["disabled_at"] is not None:
        return f"disabled: {device['disabled_reason']}"
    return "not permitted" if device["permission"] == "denied" else ""


def _print(text: str) -> None:
    print(harmless(text).rstrip())
