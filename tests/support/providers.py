"""A provider of pushes that answers as it is told."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID

from notifications.ports import Landed, unheard
from notifications.types import AddressKind, Attempt, Outcome, Verdict
from notifications.vitals import Vitals

FCM_KINDS = frozenset({AddressKind.FCM_TOKEN, AddressKind.FCM_FID})

ACCEPTED = Outcome(Verdict.ACCEPTED, provider_id="fake/1")


class FakeProvider:
    """Keeps every attempt. `answers` decides per attempt; the default accepts everything.

    An attempt whose address is in `silent` waits until it is taken out with `release`.
    """

    def __init__(
        self,
        *,
        name: str = "fcm",
        carries: frozenset[AddressKind] = FCM_KINDS,
        answers: Callable[[Attempt], Outcome] = lambda attempt: ACCEPTED,
    ) -> None:
        self.name = name
        self.carries = carries
        self.vitals = Vitals()
        self.answers = answers
        self.attempts: list[Attempt] = []
        self.silent: set[str] = set()
        self.most_at_once = 0
        self.is_open = False
        self._at_once = 0
        self._released = asyncio.Event()
        self._received = asyncio.Condition()

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    async def send(
        self, attempts: Sequence[Attempt], *, landed: Landed = unheard
    ) -> Sequence[Outcome]:
        async def send_one(number: int, attempt: Attempt) -> Outcome:
            outcome = await self._send(attempt)
            landed(number, outcome)
            return outcome

        sending = (send_one(number, attempt) for number, attempt in enumerate(attempts))
        return list(await asyncio.gather(*sending))

    def release(self) -> None:
        """Let everything that waits be answered."""
        self.silent.clear()
        self._released.set()

    async def received(self, number: int, *, within: float = 10.0) -> None:
        """Wait until that many attempts have come; `TimeoutError` after real seconds."""
        async with asyncio.timeout(within), self._received:
            await self._received.wait_for(lambda: len(self.attempts) >= number)

    @property
    def copies(self) -> Counter[UUID]:
        """How often each push was sent."""
        return Counter(attempt.push_id for attempt in self.attempts)

    async def _send(self, attempt: Attempt) -> Outcome:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            async with self._received:
                self.attempts.append(attempt)
                self._received.notify_all()
            # One turn of the loop, as any network would take: others may go first.
            await asyncio.sleep(0)
            while attempt.address in self.silent:
                self._released.clear()
                await self._released.wait()
            return self.answers(attempt)
        finally:
            self._at_once -= 1
