"""`zaffa serve`: a node, or several."""

import argparse
import asyncio
import logging
import os
import socket
from collections.abc import Sequence

from kernel.clock import SystemClock
from server import migrations
from server.cli.common import Commands, add_command, called_as, settings
from server.demo.seed import hints_of, seed
from server.failures import CannotStart, SettingsError
from server.house import Hints
from server.processes import Nursery, this_program
from server.roles import ServerRole, chosen
from server.serving import listening_socket, run
from server.wiring.building import WEBSOCKET_CLASS, build
from server.wiring.groups import Settings

log = logging.getLogger(__name__)

_EXAMPLES = """\
  zaffa serve                                      everything, on SQLite, in one process
  zaffa serve --demo                               the same, with demo data and hints
  zaffa serve --insecure                           for development: no tokens, no keys
  zaffa serve --role gateway --workers 4           four gateways on one port (PostgreSQL, Redis)
  zaffa serve --role relay --role dispatcher --role scheduler --port 8001

A node that gets SIGTERM tells its clients to reconnect, spread over a few seconds, finishes
what it works on and ends; a second signal skips the waiting.
"""


def add_to(commands: Commands) -> None:
    command = add_command(commands, "serve", examples=_EXAMPLES, run=_run)
    command.add_argument(
        "--role",
        action="append",
        default=[],
        choices=list(map(str, ServerRole)),
        help="do only this part of the work; may be given several times",
    )
    command.add_argument("--workers", type=_count, default=1, metavar="N", help="nodes to run")
    command.add_argument("--host", help="address to listen on")
    command.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    command.add_argument(
        "--demo", action="store_true", help="fill the database with demo data and say what to try"
    )
    command.add_argument(
        "--insecure",
        action="store_true",
        help="for development: clients need no token, the server API no key; this machine only",
    )
    # How a parent starts its children: the sockets they listen on, the shared one first.
    command.add_argument("--inherit", type=int, action="append", help=argparse.SUPPRESS)
    # And where they write a byte once they serve.
    command.add_argument("--tell", type=int, help=argparse.SUPPRESS)


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 256:
        raise argparse.ArgumentTypeError("must be from 1 to 256")
    return count


def _run(given: argparse.Namespace) -> int:
    overrides = {
        "server.host": given.host,
        "server.port": given.port,
        "server.insecure": given.insecure or None,
    }
    loaded = settings(given, overrides)
    if loaded.server.insecure and not given.inherit:
        log.warning(
            "this server is insecure: whoever reaches it may do everything in channels",
            extra={"host": loaded.server.host},
        )
    if given.inherit:
        _serve(loaded, given, [socket.socket(fileno=each) for each in given.inherit], Hints())
        return 0
    if given.workers > 1 and (loaded.embedded or not loaded.redis.url):
        raise SettingsError(
            ["--workers needs PostgreSQL (ZAFFA_DATABASE_URL) and Redis (ZAFFA_REDIS_URL)"]
        )
    if given.workers > 1 and loaded.sandboxed:
        raise SettingsError(["--workers cannot share a sandbox: set ZAFFA_SERVER_PUSH=providers"])
    hints = asyncio.run(_prepare(loaded, demo=given.demo))
    shared = _listening(loaded.server.host, loaded.server.port, "--port")
    if given.workers > 1:
        first = loaded.server.metrics_port
        own = [
            _listening("127.0.0.1", first + number, "ZAFFA_SERVER_METRICS_PORT")
            for number in range(given.workers)
        ]
        asyncio.run(_many(given, shared, own))
    else:
        _serve(loaded, given, [shared], hints)
    return 0


def _listening(host: str, port: int, setting: str) -> socket.socket:
    try:
        return listening_socket(host, port)
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another {setting}."
        ) from error


async def _prepare(loaded: Settings, *, demo: bool) -> Hints:
    """SQLite belongs to this process alone, so it is upgraded without being asked."""
    url = loaded.database.url
    if loaded.embedded and not (await migrations.state(url)).is_current:
        log.info("upgrading the database")
        await migrations.upgrade(url)
    if not demo:
        return Hints()
    (await migrations.state(url)).demand()
    await seed(loaded)
    return hints_of(loaded, program=called_as())


def _serve(
    loaded: Settings,
    given: argparse.Namespace,
    sockets: Sequence[socket.socket],
    hints: Hints,
) -> None:
    house = build(loaded, roles=chosen(given.role), hints=hints)
    port = sockets[0].getsockname()[1]
    if len(sockets) > 1:
        house.shared_port = port

    def ready() -> None:
        log.info("node ready", extra={"port": port, "roles": ",".join(sorted(chosen(given.role)))})
        if given.tell is not None:
            os.write(given.tell, b"1")
            os.close(given.tell)
        if given.demo and not given.inherit:
            print(*_what_to_try(house.hints, port), sep="\n", flush=True)
            if loaded.server.log_level == "info":
                # These lines shall stay the last ones until something needs attention.
                logging.getLogger().setLevel(logging.WARNING)

    run(
        house,
        websocket_class=WEBSOCKET_CLASS,
        sockets=sockets,
        tied_to_parent=bool(given.inherit),
        ready=ready,
    )


async def _many(
    given: argparse.Namespace, shared: socket.socket, own: Sequence[socket.socket]
) -> None:
    def command(number: int, tell: int) -> list[str]:
        roles = [part for role in given.role for part in ("--role", role)]
        config = ["--config", str(given.config)] if given.config else []
        sockets = [shared.fileno(), own[number].fileno()]
        inherit = [part for each in sockets for part in ("--inherit", str(each))]
        insecure = ["--insecure"] if given.insecure else []
        return [*this_program(), "serve", *roles, *config, *insecure, *inherit, "--tell", str(tell)]

    ports = [each.getsockname()[1] for each in own]
    log.info(
        "starting nodes",
        extra={"nodes": given.workers, "metrics_ports": f"{ports[0]}-{ports[-1]}"},
    )
    nursery = Nursery(
        count=given.workers,
        command=command,
        inherits=[shared.fileno(), *(each.fileno() for each in own)],
        clock=SystemClock(),
    )
    await nursery.run()
    log.info("all nodes left", extra={"pid": os.getpid()})


def _what_to_try(hints: Hints, port: int) -> list[str]:
    url = f"http://127.0.0.1:{port}"
    return [
        "",
        f"Zaffa is running on {url}",
        "",
        "  Chat in two terminals:",
        *(f"    {command}" for _user, command in hints.chats),
        "  Read the API:",
        f"    {url}/docs",
        *(["  See pushes arrive:", f"    {hints.pushes}"] if hints.pushes else []),
    ]
