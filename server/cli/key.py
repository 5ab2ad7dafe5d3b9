"""`zaffa key`: API keys for the servers that call us."""

import argparse
import asyncio
import sys
from uuid import UUID

from kernel.identity import ApiKeys, Scope
from server.cli.common import Commands, add_command, settings
from server.wiring.preparing import open_api_keys

_EXAMPLES = """\
  zaffa key create shop --scope users --scope conversations
  zaffa key create backoffice --scope all
  zaffa key list
  zaffa key revoke 01935b7e-8a3b-7c9e-9f43-7a5f4d2c1b0a
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands,
        "key",
        examples=_EXAMPLES,
        run=_run,
    )
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a key; its secret is shown this once")
    create.add_argument("name", help="whose key it is, such as the name of the server")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=[*map(str, Scope), "all"],
        help="what it may do; may be given several times",
    )
    actions.add_parser("list", help="every key, newest first")
    revoke = actions.add_parser("revoke", help="end a key at once")
    revoke.add_argument("id", type=UUID, help="the key's id, as `zaffa key list` shows it")


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    async with open_api_keys(settings(given)) as keys:
        if given.action == "create":
            return await _create(keys, given.name, given.scope)
        if given.action == "list":
            return await _list(keys)
        return await _revoke(keys, given.id)


async def _create(keys: ApiKeys, name: str, scopes: list[str]) -> int:
    chosen = frozenset(Scope) if "all" in scopes else frozenset(map(Scope, scopes))
    key, secret = await keys.create(name, chosen)
    print(f"key {key.id} ({name}); the secret is shown this once:", file=sys.stderr)
    print(secret)
    return 0


async def _list(keys: ApiKeys) -> int:
    for key in await keys.all():
        ended = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "active"
        scopes = ",".join(sorted(key.scopes))
        print(f"{key.id}  {key.created_at:%Y-%m-%d}  {ended:<18}  {key.name}  {scopes}")
    return 0


async def _revoke(keys: ApiKeys, key_id: UUID) -> int:
    if not await keys.revoke(key_id):
        print(f"There is no active key {key_id}.", file=sys.stderr)
        return 1
    print(f"key {key_id} is revoked")
    return 0
