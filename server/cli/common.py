"""What the commands share: how they are declared, and where their settings come from."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from server import logs
from server.cli.sentences import SENTENCES, short
from server.settings import load
from server.wiring.groups import Settings
from server.wiring.preparing import prepare

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

Run = Callable[[argparse.Namespace], int]


def add_command(
    commands: Commands, name: str, *, examples: str, run: Run
) -> argparse.ArgumentParser:
    """Declare a command with its sentence, examples, and `--config`."""
    command = commands.add_parser(
        name,
        help=short(name),
        description=SENTENCES[name],
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings file instead of zaffa.toml in the working directory",
    )
    return command


def settings(given: argparse.Namespace, overrides: Mapping[str, object] | None = None) -> Settings:
    """The settings of this command, prepared; from here on, log lines go where those say."""
    chosen = {key: value for key, value in (overrides or {}).items() if value is not None}
    loaded = load(Settings, environment=os.environ, file=given.config, overrides=chosen)
    logs.configure(format=loaded.server.log_format, level=loaded.server.log_level)
    return prepare(loaded)


def called_as() -> str:
    """How this program was called, for hints that can be pasted into the next terminal."""
    program = sys.argv[0]
    if Path(program).name != "zaffa":
        return f"{sys.executable} -m server"
    return "zaffa" if shutil.which("zaffa") == program else program
