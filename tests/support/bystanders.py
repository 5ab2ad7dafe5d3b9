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
            if not list(self.problems(top)):
                return
            await asyncio.sleep(0.05)

    def problems(self, top: int) -> Iterator[str]:
        """What must not have been: all of it is told, once and in order, and nobody gives up.

        Only a client that was told so may have a hole: its application reads the history then.
        """
        for kind, client in self._clients.items():
            before: int | None = 0
            for event in client.events:
                match event:
                    case {"event": "publication", "channel": self.channel, "offset": offset}:
                        if before is not None and offset != before + 1:
                            yield f"{kind} went from {before} to {offset}"
                        before = offset
                    case {"event": "subscribed", "wasRecovering": True, "recovered": False}:
                        before = None
                    case {"event": "disconnected" | "unsubscribed"}:
                        yield f"{kind} gave up: {event}"
                    case _:
                        pass
            if before not in (None, top):
                yield f"{kind} heard the end at {before}, it is at {top}"
