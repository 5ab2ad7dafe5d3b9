"""How often one device is sent something, by all dispatchers together: FCM counts for each."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from kernel.clock import Clock
from kernel.ids import UserId
from notifications.sends.ports import SendLimits
from notifications.types import Outcome, ThrottleScope, Verdict

DEVICE_BUSY = "device_busy"
"""The reason of an attempt that we held back, as its device has had enough for the moment."""

UNNOTICED = 12
"""Dispatchers that do not notice a device of which none sends more than its part."""

WINDOW = 60.0
"""Seconds in which a dispatcher counts by itself what each device is sent."""

_EVERY = UUID(int=0)
"""Buckets are of keys and users; here devices stand for users, and one key for all of them."""


class DevicePace:
    """Holds back what is too much for a device. What is held back waits, and is not refused.

    `limits` are buckets of `per_minute` for each device. They are asked only about devices that
    are sent unusually much from here, so that nearly no push costs a question.
    """

    def __init__(self, limits: SendLimits, *, per_minute: float, clock: Clock) -> None:
        self._limits = limits
        self._noticed = max(1, int(per_minute / UNNOTICED))
        self._clock = clock
        self._sent: Counter[UUID] = Counter()
        self._since = clock.monotonic()

    async def held_back(self, device_ids: Sequence[UUID]) -> Sequence[Outcome | None]:
        """For each of these pushes' devices: nothing, or why it is not sent now."""
        now = self._clock.monotonic()
        if now - self._since >= WINDOW:
            self._sent.clear()
            self._since = now
        asked: list[int] = []
        uncounted: list[UUID] = []
        for number, device_id in enumerate(device_ids):
            if not device_id.int:
                # It goes to a topic.
                continue
            self._sent[device_id] += 1
            if self._sent[device_id] > self._noticed:
                asked.append(number)
                if self._sent[device_id] == self._noticed + 1:
                    uncounted += [device_id] * self._noticed
        outcomes: list[Outcome | None] = [None] * len(device_ids)
        if asked:
            await self._take(uncounted)
            answers = await self._take([device_ids[number] for number in asked])
            for number, wait in zip(asked, answers, strict=True):
                outcomes[number] = None if wait is None else _wait_for(wait)
        return outcomes

    async def _take(self, device_ids: Sequence[UUID]) -> Sequence[float | None]:
        sends = [[UserId(str(device_id))] for device_id in device_ids]
        found = await self._limits.take(_EVERY, sends) if sends else ()
        return [None if each is None else each.retry_after for each in found]


def _wait_for(seconds: float) -> Outcome:
    return Outcome(Verdict.NOT_SENT, DEVICE_BUSY, retry_after=seconds, scope=ThrottleScope.DEVICE)
