"""`zaffa chat`: talk in the terminal, over the same protocol as every other client."""

import argparse
import asyncio
import os
import signal
import sys
from datetime import timedelta
from threading import Thread

from kernel.ids import UserId, is_user_id
from server.chatting import ChatFailed, Chatter
from server.cli.common import Commands, add_command, settings
from server.wiring.preparing import token_for

_EXAMPLES = """\
  zaffa chat --user amina --with karim                 the direct conversation of two users
  zaffa chat --user lina                               the conversation opened last
  zaffa chat --user lina --conversation 0193…          any other
  zaffa chat --user amina --with karim --url ws://chat.example:8000 --token "$TOKEN"

Every line you type is a message; Ctrl+D or Ctrl+C ends. What others say while the connection
is lost is shown when it is back.
"""


def add_to(commands: Commands) -> None:
    command = add_command(commands, "chat", examples=_EXAMPLES, run=_run)
    command.add_argument("--user", required=True, help="who you are")
    command.add_argument("--with", dest="other", metavar="USER", help="whom to talk to")
    command.add_argument("--conversation", metavar="ID", help="which conversation to talk in")
    command.add_argument("--url", help="the server, such as ws://127.0.0.1:8000")
    command.add_argument("--token", help="an access token; made here for the local server if not")


def _run(given: argparse.Namespace) -> int:
    for user in filter(None, (given.user, given.other)):
        if not is_user_id(user):
            print(f"{user!r} is not a user id.", file=sys.stderr)
            return 2
    loaded = settings(given)
    public = loaded.server.public_url.replace("http", "ws", 1)
    url = given.url or public or f"ws://127.0.0.1:{loaded.server.port}"

    def token() -> str:
        return given.token or token_for(loaded.tokens, given.user, lifetime=timedelta(hours=12))

    chatter = Chatter(
        url=url.rstrip("/") + "/connection/websocket", token=token, user_id=UserId(given.user)
    )
    try:
        asyncio.run(_talk(chatter, given.other, given.conversation))
    except ChatFailed as error:
        print(str(error), file=sys.stderr)
        return 1
    return 0


async def _talk(chatter: Chatter, other: str | None, conversation: str | None) -> None:
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lines.put_nowait, None)
    # A thread of its own: a terminal, a pipe and a file are all read alike, and one that says
    # nothing more does not hold up the end.
    Thread(target=_read, args=(loop, lines), daemon=True).start()
    await chatter.run(lines, other=other, conversation=conversation)


def _read(loop: asyncio.AbstractEventLoop, lines: "asyncio.Queue[str | None]") -> None:
    """Lines from standard input; None at its end."""
    rest = b""
    while part := os.read(0, 65_536):
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            loop.call_soon_threadsafe(lines.put_nowait, line.decode("utf-8", "replace"))
    if rest:
        loop.call_soon_threadsafe(lines.put_nowait, rest.decode("utf-8", "replace"))
    loop.call_soon_threadsafe(lines.put_nowait, None)
