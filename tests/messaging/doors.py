"""Operations that begin when a client asks, and end when a test says so."""

import asyncio

import msgspec

from kernel.identity import Principal
from kernel.operations import Operation


class Named(msgspec.Struct, frozen=True):
    """Which call this is."""

    call: str = ""


class Doors:
    """Operations that begin and end when a test says so."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.doors: dict[str, asyncio.Event] = {}

    def open(self, call: str) -> None:
        self.doors.setdefault(call, asyncio.Event()).set()

    async def run(self, _: Principal, named: Named) -> Named:
        self.begun.append(named.call)
        await self.doors.setdefault(named.call, asyncio.Event()).wait()
        return named

    def operations(self, *names: str) -> list[Operation[Named, Named]]:
        return [
            Operation(
                name=name, method="POST", path=f"/v1/{name}", summary=name, takes=Named,
                gives=Named, run=self.run, rpc=True,
            )
            for name in names
        ]  # fmt: skip
