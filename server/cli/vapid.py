"""`zaffa vapid`: the key with which this server proves itself to browsers' push services."""

import argparse
import sys
from pathlib import Path

from server.cli.common import Commands, add_command
from server.wiring.providers import make_vapid_key, vapid_public_key

_EXAMPLES = """\
  zaffa vapid make vapid.pem    write a new key; keep it: browsers are subscribed to it for good
  zaffa vapid show vapid.pem    its public half, the applicationServerKey of your web app
"""


def add_to(commands: Commands) -> None:
    command = add_command(commands, "vapid", examples=_EXAMPLES, run=_run)
    command.add_argument("action", choices=("make", "show"))
    command.add_argument("file", type=Path, help="where the key is, or shall be")


def _run(given: argparse.Namespace) -> int:
    file: Path = given.file
    try:
        if given.action == "make":
            print(make_vapid_key(file))
            print(f"written to {file}; set ZAFFA_WEBPUSH_KEY_FILE to it", file=sys.stderr)
        else:
            print(vapid_public_key(file))
    except FileExistsError:
        print(f"{file} exists; a new key would lose every subscription to it.", file=sys.stderr)
        return 1
    except (OSError, ValueError) as wrong:
        print(f"{file}: {wrong}", file=sys.stderr)
        return 1
    return 0
