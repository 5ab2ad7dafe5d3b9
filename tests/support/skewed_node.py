"""A node whose wall clock is set by whoever tests it, while it runs: `serve` with another clock.

The seconds by which the clock is wrong stand in the file that ZAFFA_TEST_SKEW_FILE names.
"""

import argparse
import asyncio
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

from kernel.clock import SystemClock
from server import logs, migrations
from server.roles import chosen
from server.serving import listening_socket, run
from server.settings import load
from server.wiring.building import WEBSOCKET_CLASS, assemble
from server.wiring.ground import Ground
from server.wiring.groups import Settings
from server.wiring.preparing import prepare


class SkewedClock(SystemClock):
    """The machine's time, and what somebody who set the clock made of it."""

    def __init__(self, skew: Path) -> None:
        self._skew = skew

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=float(self._skew.read_text()))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--role", action="append", default=[])
    given = parser.parse_args(arguments)
    clock = SkewedClock(Path(os.environ.pop("ZAFFA_TEST_SKEW_FILE")))
    settings = prepare(load(Settings, environment=os.environ))
    logs.configure(format=settings.server.log_format, level=settings.server.log_level)
    if settings.embedded:
        asyncio.run(migrations.upgrade(settings.database.url))
    house = assemble(Ground(settings, chosen(given.role), clock=clock))
    run(house, websocket_class=WEBSOCKET_CLASS, sockets=[listening_socket("127.0.0.1", given.port)])


if __name__ == "__main__":
    main(sys.argv[1:])
