"""`zaffa token`: an access token for development."""

import argparse
import sys
from datetime import timedelta

from kernel.ids import is_user_id
from server.cli.common import Commands, add_command, settings
from server.wiring.preparing import token_for

_EXAMPLES = """\
  zaffa token amina                 valid for an hour
  zaffa token amina --hours 24
  curl -H "Authorization: Bearer $(zaffa token amina)" http://127.0.0.1:8000/v1/conversations
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands,
        "token",
        examples=_EXAMPLES,
        run=_run,
    )
    command.add_argument("user", help="the user's id, as the application names it")
    command.add_argument("--hours", type=float, default=1.0, help="how long it is valid")


def _run(given: argparse.Namespace) -> int:
    if not is_user_id(given.user):
        print("A user id is 1 to 128 bytes, printable, without white space.", file=sys.stderr)
        return 2
    if not 0 < given.hours <= 24 * 366:
        print("--hours must be above 0 and at most 8784.", file=sys.stderr)
        return 2
    loaded = settings(given)
    print(token_for(loaded.tokens, given.user, lifetime=timedelta(hours=given.hours)))
    return 0
