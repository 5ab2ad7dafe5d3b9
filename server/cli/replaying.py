"""`zaffa demo --replay`: a real chat by real clients, and a verdict on what came of it."""

import argparse
import asyncio
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from kernel.clock import Clock, SystemClock
from server.demo.replay import Replay
from server.demo.replay_log import BadLine, ChatLine, mixed_in, read_log, read_phrases
from server.demo.replay_pushes import SandboxSilent
from server.demo.replay_stage import CannotReplay, Manner, Stage
from server.demo.replay_verdict import Verdict
from server.wiring.groups import Settings
from server.wiring.preparing import token_for

EXAMPLES = """\
  zaffa demo --replay chat.jsonl                   replay a chat log against a running server
  zaffa demo --replay chat.jsonl --speed 60 --mix-in texts/
  zaffa demo --replay chat.jsonl --server http://127.0.0.1:8001 --server http://127.0.0.1:8002

A chat log is a JSON object a line: "at" (HH:MM), "kind" (message, action, join, leave), "nick"
and "text". Who speaks is connected, every second one of the others listens, the rest is away
and gets pushes. The exit code is 0 if everybody got everything once and in order.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options of a replay."""
    options = command.add_argument_group("replaying a chat log")
    options.add_argument("--replay", type=Path, metavar="FILE", help="the chat log to replay")
    options.add_argument(
        "--speed",
        type=_positive,
        metavar="N",
        help="N times the log's own time; without it, as fast as messages are acknowledged",
    )
    options.add_argument("--limit", type=_count, metavar="LINES", help="only the first lines")
    options.add_argument(
        "--server",
        action="append",
        type=_server,
        metavar="URL",
        help="a gateway; may be given several times, readers and speakers then use different ones",
    )
    options.add_argument("--sandbox", metavar="URL", help="the sandbox's page, for the pushes")
    options.add_argument(
        "--mix-in",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="text files, or folders of them, whose lines are said in between",
    )


def replay(given: argparse.Namespace, loaded: Settings) -> int:
    """Replay `--replay` and print the verdict; the exit code."""
    try:
        lines = _lines(given)
        verdict = uvloop.run(_play(lines, given, loaded))
    except (BadLine, OSError, CannotReplay, SandboxSilent) as error:
        print(str(error), file=sys.stderr)
        return 2
    print(*verdict.lines(), sep="\n")
    return 0 if verdict.is_good else 1


def _lines(given: argparse.Namespace) -> list[ChatLine]:
    lines = list(read_log(given.replay, limit=given.limit))
    return mixed_in(lines, read_phrases(given.mix_in)) if given.mix_in else lines


async def _play(lines: list[ChatLine], given: argparse.Namespace, loaded: Settings) -> Verdict:
    sandbox = f"http://{loaded.sandbox.host}:{loaded.sandbox.page_port}"
    clock = SystemClock()
    replaying = Replay(
        lines,
        stage=Stage(
            servers=given.server or [f"http://127.0.0.1:{loaded.server.port}"],
            sandbox=given.sandbox or sandbox,
            token=lambda user: token_for(loaded.tokens, user, lifetime=timedelta(hours=24)),
        ),
        manner=Manner(title=given.replay.stem, speed=given.speed),
        clock=clock,
    )
    cast = replaying.cast
    print(
        f"{len(replaying.lines)} messages by {len(cast.speakers)} speakers to "
        f"{len(cast.readers)} readers; {len(cast.away)} members are away",
        file=sys.stderr,
    )
    showing = asyncio.create_task(_show(replaying, clock))
    try:
        return await replaying.run()
    finally:
        showing.cancel()
        with suppress(asyncio.CancelledError):
            await showing
        print(_line(replaying), file=sys.stderr)


async def _show(replaying: Replay, clock: Clock) -> None:
    """How far it is: on a terminal always on the same line."""
    while True:
        await clock.sleep(0.5 if sys.stderr.isatty() else 5.0)
        print(
            _line(replaying), end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True
        )


def _line(replaying: Replay) -> str:
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    return start + replaying.progress.line()


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _server(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise argparse.ArgumentTypeError("must be such as http://127.0.0.1:8000")
    return text.rstrip("/")
