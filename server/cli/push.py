"""`zaffa push`: send, see what became of it, and what to do about it."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from kernel.identity import Scope
from server.cli import push_dead, push_explain, push_sends
from server.cli.common import Commands, add_command, settings
from server.cli.users import add_address
from server.operator_client import OperatorClient, operator_client

_EXAMPLES = f"""\
{push_sends.EXAMPLES}{push_explain.EXAMPLES}{push_dead.EXAMPLES}
A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

_Act = Callable[[OperatorClient, argparse.Namespace], Awaitable[int]]


def add_to(commands: Commands) -> None:
    command = add_command(commands, "push", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    push_sends.add_to(actions)
    push_explain.add_to(actions)
    push_dead.add_to(actions)


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    loaded = settings(given)
    async with operator_client(loaded, url=given.url, key=given.key, scope=Scope.PUSHES) as client:
        act: _Act = given.act
        return await act(client, given)
