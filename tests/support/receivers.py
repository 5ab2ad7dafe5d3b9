"""A server that is told things by webhooks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Receiver:
    """Keeps what it is told, and answers with `status`, as soon as it is `awake`."""

    url: str = ""
    origin: str = ""
    status: int = 204
    location: str = ""
    told: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.awake.set()
        self._heard = asyncio.Event()

    async def has_heard(self, number: int) -> None:
        """Wait until it was told so often; `TimeoutError` after a minute."""
        async with asyncio.timeout(60):
            while len(self.told) < number:
                self._heard.clear()
                await self._heard.wait()

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.told.append((headers, await request.read()))
        self._heard.set()
        await self.awake.wait()
        return web.Response(
            status=self.status, headers={"location": self.location} if self.location else None
        )


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        receiver.origin = f"http://127.0.0.1:{port}"
        receiver.url = f"{receiver.origin}/hook"
        yield receiver
    finally:
        await runner.cleanup()
