"""The official clients as bystanders: they only listen, and tell what reached the application."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from kernel.ids import UserId
from tests.conformance.clients import KINDS, Clients, JavaScriptClient
from tests.conformance.python_client import PythonClient
from tests.support.running import RunningHouse


class Bystanders:
    """One official client of each kind, which follows a channel from its first message on."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self._clients: dict[str, JavaScriptClient | PythonClient] = {}

    @classmethod
    @asynccontextmanager
    async def standing(
        cls,
        clients: Clients,
        urls: Sequence[str],
        *,
        channel: str,
        users: Sequence[UserId],
        signer: RunningHouse,
    ) -> AsyncIterator[Self]:
        """All of them, subscribed, each as one of the users and at one of the nodes."""
        there = cls(channel)
        async with AsyncExitStack() as closing:
            for number, kind in enumerate(KINDS):
                url = urls[number % len(urls)]
                client = clients.client(kind, url, [signer.token(users[number % len(users)])])
                await client.start()
                closing.push_async_callback(client.close)
                await client.do("connect")
                await client.do("subscribe", channel=channel)
                await client.event("subscribed")
                there._clients[kind] = client
            yield there

    async def arrived(self, top: int, *, within: float) -> None:
        """Wait until everybody has the last message, or it takes too long."""
        until = asyncio.get_running_loop().time() + within
        while asyncio.get_running_loop().time() < until:
            if all(top in each.offsets(self.channel) for each in self._clients.values()):
                return
            await asyncio.sleep(0.05)

    def problems(self, top: int) -> Iterator[str]:
        """What must not have been: all of it is told, once and in order, and nobody gave up."""
        for kind, client in self._clients.items():
            offsets = client.offsets(self.channel)
            for before, offset in zip([0, *offsets], [*offsets, top + 1], strict=True):
                if offset != before + 1:
                    yield f"{kind} went from {before} to {offset}"
            for event in client.events:
                if event["event"] in ("disconnected", "unsubscribed"):
                    yield f"{kind} gave up: {event}"
