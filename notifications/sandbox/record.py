"""What arrived: every accepted push, in order, for tests to count and people to read."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

import msgspec

from kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Arrival:
    """One accepted push. `number` counts arrivals from 1; a repeat is an arrival of its own."""

    number: int
    provider: str
    environment: str
    address: str
    push_id: str
    """The sender's id: APNs' apns-id, FCM's data key `push_id`."""
    provider_id: str
    """The id that the provider gave out."""
    title: str
    body: str
    received_at: datetime
    payload: msgspec.Raw
    headers: Mapping[str, str] = field(default_factory=dict)


class Arrivals:
    """The record. Keeps the last `kept` in memory and, if asked, all of them in a file."""

    def __init__(self, *, clock: Clock, kept: int, file: str) -> None:
        self.total = 0
        self._clock = clock
        self._kept: deque[Arrival] = deque(maxlen=kept)
        self._waiting: set[asyncio.Future[None]] = set()
        self._path = file
        self._file: TextIO | None = None

    def open(self) -> None:
        if self._path:
            # Line by line, so that a reader sees what a killed sandbox has accepted.
            self._file = Path(self._path).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._wake()

    def add(
        self,
        *,
        provider: str,
        environment: str,
        address: str,
        push_id: str,
        provider_id: str,
        title: str,
        body: str,
        payload: bytes,
        headers: Mapping[str, str],
    ) -> None:
        self.total += 1
        arrival = Arrival(
            number=self.total,
            provider=provider,
            environment=environment,
            address=address,
            push_id=push_id,
            provider_id=provider_id,
            title=title,
            body=body,
            received_at=self._clock.now(),
            payload=msgspec.Raw(payload),
            headers=headers,
        )
        self._kept.append(arrival)
        if self._file is not None:
            self._file.write(msgspec.json.encode(arrival).decode() + "\n")
        if self._waiting:
            self._wake()

    def after(
        self, number: int = 0, *, address: str = "", push_id: str = "", limit: int = 1000
    ) -> list[Arrival]:
        """Arrivals after that one, oldest first."""
        found = []
        for arrival in self._kept:
            if arrival.number <= number:
                continue
            if address and arrival.address != address:
                continue
            if push_id and arrival.push_id != push_id:
                continue
            found.append(arrival)
            if len(found) == limit:
                break
        return found

    def latest(self, limit: int) -> list[Arrival]:
        """The last arrivals, newest first."""
        newest: list[Arrival] = []
        for arrival in reversed(self._kept):
            if len(newest) == limit:
                break
            newest.append(arrival)
        return newest

    async def changed(self, *, within: float) -> bool:
        """Wait for the next arrival; False when none came in that many seconds."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(within):
                await waiting
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiting)
        return True

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
