"""What an official client has told, and who waits for more of it."""

import asyncio
from typing import Any

PATIENCE = 15.0
"""Seconds to wait for an event before the test has failed."""


NEVER = "never"
"""In place of a token: the application is asked for one and does not answer."""


class ClientError(Exception):
    """The server's error reply, as the client reports it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Events:
    """What a client has told, in order.

    Clients `do` what a test asks for, raise `ClientError` for an error reply, and are told to
    `close` in the end. What the server does without being asked to, the client tells with
    `server-` before the name.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._read = 0
        self._news = asyncio.Condition()

    async def tell(self, event: dict[str, Any]) -> None:
        async with self._news:
            self.events.append(event)
            self._news.notify_all()

    async def event(self, name: str, **matching: Any) -> dict[str, Any]:
        """The next event of that name which has these values; earlier ones are passed over."""

        def found() -> dict[str, Any] | None:
            while self._read < len(self.events):
                event = self.events[self._read]
                self._read += 1
                if event["event"] == name and matching.items() <= event.items():
                    return event
            return None

        async with self._news:
            try:
                async with asyncio.timeout(PATIENCE):
                    while (event := found()) is None:
                        await self._news.wait()
                    return event
            except TimeoutError:
                raise AssertionError(
                    f"no event {name} {matching} in {PATIENCE} s; seen: {self.events[-20:]}"
                ) from None

    async def outcome(self, channel: str) -> int:
        """What became of subscribing: 0 is a yes, anything else the code of the no."""
        there = {"channel": channel}
        async with self._news, asyncio.timeout(PATIENCE):
            while not self.count("subscribed", **there) + self.count("unsubscribed", **there):
                await self._news.wait()
        if self.count("subscribed", **there):
            return 0
        code: int = (await self.event("unsubscribed", **there))["code"]
        return code

    def count(self, name: str, **matching: Any) -> int:
        """How often something was told so far."""
        return sum(
            each["event"] == name and matching.items() <= each.items() for each in self.events
        )

    def publications(self, channel: str) -> list[dict[str, Any]]:
        """The channel's publications, in the order they reached the app."""
        return [
            each
            for each in self.events
            if each["event"].endswith("publication") and each["channel"] == channel
        ]

    def offsets(self, channel: str) -> list[int]:
        """The offsets of the channel's publications, in the order they reached the app."""
        return [each["offset"] for each in self.publications(channel)]
