"""The house with one operation more: `bench.echo` gives back what it is given.

It is for the benchmarks alone: everything else is wired as `zaffa serve` wires it.
"""

import argparse
import asyncio
import os

import msgspec

from kernel.identity import Principal
from kernel.operations import Operation, awaited
from server import logs, migrations
from server.roles import ALL
from server.serving import listening_socket, run
from server.settings import load
from server.wiring.building import WEBSOCKET_CLASS, assemble
from server.wiring.ground import Ground
from server.wiring.groups import Settings
from server.wiring.preparing import prepare


class Echo(msgspec.Struct, frozen=True):
    """Any JSON, there and back."""

    body: msgspec.Raw


def bench_echo() -> Operation[Echo, Echo]:
    """An answer that needs no database."""

    def echo(_principal: Principal, asked: Echo) -> Echo:
        return asked

    return Operation(
        name="bench.echo",
        method="POST",
        path="/v1/bench/echo",
        summary="Give back what is given.",
        takes=Echo,
        gives=Echo,
        run=awaited(echo),
        at_once=echo,
        rpc=True,
    )


def main(port: int) -> None:
    settings = prepare(load(Settings, environment=os.environ))
    logs.configure(format=settings.server.log_format, level=settings.server.log_level)
    asyncio.run(migrations.upgrade(settings.database.url))
    ground = Ground(settings, ALL)
    ground.operations.append(bench_echo())
    house = assemble(ground)
    run(house, websocket_class=WEBSOCKET_CLASS, sockets=[listening_socket("127.0.0.1", port)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--port", type=int, required=True)
    main(parser.parse_args().port)
