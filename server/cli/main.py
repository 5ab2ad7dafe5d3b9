"""The command `zaffa`: its parser, and what becomes of errors."""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from kernel.errors import Refusal, Unavailable
from server import __version__
from server.cli.sentences import SENTENCES, short
from server.failures import CannotStart, SchemaOutdated, SettingsError

_EPILOG = """\
first steps:
  zaffa serve --demo             a server with demo data on http://127.0.0.1:8000
  zaffa token amina              an access token, to try the API as this user
  zaffa chat --user amina        talk in the terminal
  zaffa sandbox follow           watch pushes arrive
  zaffa doctor                   check settings and everything they point to

Settings come from the environment (ZAFFA_…) and zaffa.toml; docs/settings.md lists them.
"""


def parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the whole command. Only the command that `arguments` call is loaded.

    Loading all of them, with every driver, takes a second, and half of what they import is of
    no use to the other half.
    """
    made = argparse.ArgumentParser(
        prog="zaffa",
        description="Realtime messaging and push notifications.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"zaffa {__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    called = next((each for each in arguments if not each.startswith("-")), "")
    for name in SENTENCES:
        if name == called:
            _loaded(name).add_to(commands)
        else:
            commands.add_parser(name, help=short(name))
    return made


def _loaded(name: str) -> ModuleType:
    """The module of a command. What it brings stays: a tenth of the time went into looking
    through it for garbage.
    """
    gc.disable()
    try:
        return import_module(f"server.cli.{name}")
    finally:
        gc.freeze()
        gc.enable()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. The exit code is 0 if it did what it was asked, 2 if asked wrongly."""
    words = sys.argv[1:] if arguments is None else arguments
    given = parser(words).parse_args(words)
    try:
        code: int = given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, such as `head`, has had enough. Python would complain of it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
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
