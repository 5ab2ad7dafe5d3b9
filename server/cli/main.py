"""The command `zaffa`: its parser, and what becomes of errors."""

import argparse
import sys
from collections.abc import Sequence

from kernel.errors import Refusal, Unavailable
from server import __version__
from server.cli import chat, db, demo, doctor, key, sandbox, serve, token
from server.house import CannotStart
from server.migrations import SchemaOutdated
from server.settings import SettingsError

_EPILOG = """\
first steps:
  zaffa serve --demo             a server with demo data on http://127.0.0.1:8000
  zaffa token amina              an access token, to try the API as this user
  zaffa chat --user amina        talk in the terminal
  zaffa sandbox follow           watch pushes arrive
  zaffa doctor                   check settings and everything they point to

Settings come from the environment (ZAFFA_…) and zaffa.toml; docs/settings.md lists them.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    made = argparse.ArgumentParser(
        prog="zaffa",
        description="Realtime messaging and push notifications.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"zaffa {__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (serve, db, token, key, sandbox, demo, chat, doctor):
        command.add_to(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. The exit code is 0 if it did what it was asked, 2 if asked wrongly."""
    given = parser().parse_args(arguments)
    try:
        code: int = given.run(given)
    except SettingsError as error:
        _complain("The settings cannot be used:", *(f"  {each}" for each in error.problems))
        return 2
    except SchemaOutdated as error:
        _complain(str(error))
        return 3
    except CannotStart as error:
        _complain(str(error))
        return 1
    except Unavailable as error:
        _complain(error.message, *filter(None, [error.reason]))
        return 1
    except Refusal as error:
        _complain(error.message)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _complain(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr)
