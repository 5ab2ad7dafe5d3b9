"""A lane: one class of pushes on one route, with room of its own in the air."""

import asyncio
import collections
import logging
import random
from collections.abc import Sequence
from datetime import timedelta

from kernel.clock import Clock
from kernel.notices import Urgency
from kernel.workers import Pulse, Stop, rest
from notifications.app_pace import AppPace
from notifications.braking import Brakes
from notifications.device_pace import DEVICE_BUSY, DevicePace
from notifications.feedback import Feedback
from notifications.gate import Gate
from notifications.lane_metrics import LaneMetrics
from notifications.policy import settlement_of, told_of
from notifications.ports import PushProvider, PushStore, SharedRates
from notifications.pushes import HeldPush, PushState, Settlement
from notifications.types import Attempt, Outcome, Route, TokenFault

log = logging.getLogger(__name__)

LaneKey = tuple[str, Route, Urgency]
"""An app, a route and a class: one lane."""


class Lane:
    """Claims, sends and settles; what one push waits for holds up no other.

    A push is claimed only when it can be sent at once, so claiming it is also the record
    that it may have been sent. Outcomes that landed are kept until they are settled, even
    when the database fails meanwhile.
    """

    def __init__(
        self,
        *,
        app_id: str,
        route: Route,
        urgency: Urgency,
        provider: PushProvider,
        gate: Gate,
        store: PushStore,
        feedback: Feedback,
        clock: Clock,
        metrics: LaneMetrics,
        width: int,
        lease: timedelta,
        rates: SharedRates | None = None,
        brakes: Brakes | None = None,
        pace: AppPace | None = None,
        device_pace: DevicePace | None = None,
    ) -> None:
        self.app_id = app_id
        self.route = route
        self.urgency = urgency
        self.pulse = Pulse()
        """Beats when there may be pushes to claim, or room for them."""
        self.provider = provider
        self._gate = gate
        self._store = store
        self._feedback = feedback
        self._clock = clock
        self._metrics = metrics
        self._width = width
        self._lease = lease
        self._rates = rates
        self._brakes = brakes
        self._pace = pace
        self._device_pace = device_pace
        self._again_in: float | None = None
        self._flying = 0
        self._flights: set[asyncio.Task[None]] = set()
        self._landed: list[tuple[HeldPush, Outcome]] = []
        self._touchdown = Pulse()
        self._in_flight = metrics.in_flight.labels(*self.key)
        self._limited = metrics.limited.labels(*self.key)
        self._seconds = metrics.seconds.labels(provider.name, urgency)

    @property
    def key(self) -> LaneKey:
        return self.app_id, self.route, self.urgency

    async def run(self, stop: Stop) -> None:
        """Keep the lane full until `stop` is asked; then let what is in the air land.

        What landed is settled meanwhile: neither transaction waits for the other. At most
        half of the lane is claimed at once, or all of it would be in the same place at once:
        claimed, in the air, or settled.
        """
        half = (self._width + 1) // 2
        empty = Stop()
        settling = asyncio.create_task(self._keep_settling(empty))
        # It ends early only when the store fails, and then nothing more is claimed.
        settling.add_done_callback(lambda _: self.pulse.beat())
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    while not stop.asked and not settling.done():
                        if await self.refill(group, most=half) == 0:
                            await rest(
                                self._again_in, clock=self._clock, stop=stop, pulse=self.pulse
                            )
                finally:
                    # Whatever ends the loop: an attempt that was made is never left in doubt.
                    if self._flights:
                        await asyncio.wait(self._flights)
        finally:
            empty.ask()
            await asyncio.wait([settling])
        settling.result()
        await self.settle()

    async def _keep_settling(self, empty: Stop) -> None:
        """Settle what lands, until the lane is `empty`."""
        while not empty.asked:
            if await self.settle() == 0:
                await rest(None, clock=self._clock, stop=empty, pulse=self._touchdown)

    async def step(self) -> int:
        """Send what is due now, as far as there is room, and settle it; how many claimed."""
        async with asyncio.TaskGroup() as group:
            claimed = await self.refill(group, most=self._width)
        await self.settle()
        return claimed

    async def refill(self, group: asyncio.TaskGroup, *, most: int) -> int:
        """Claim what there is room for and start sending; how many were claimed."""
        self._again_in = None
        # What landed is in doubt until it is settled, should this process be killed.
        room = self._width - self._flying - len(self._landed)
        # Many claims of one push each cost more than a moment's wait for a few more.
        if room < self._width // 4:
            return 0
        now = self._clock.monotonic()
        allowed = await self._allowed(min(room, most), now)
        if allowed == 0:
            self._limited.inc()
            self._again_in = self._gate.again_in(now=now)
            return 0
        claim = await self._store.claim(
            self.route,
            self.urgency,
            app_id=self.app_id,
            now=self._clock.now(),
            lease=self._lease,
            limit=allowed,
        )
        pushes = await self._in_pace(claim.pushes)
        self._give_back(allowed - len(pushes), now)
        if pushes:
            self._flying += len(pushes)
            flight = group.create_task(self._send(pushes))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
        self._in_flight.set(self._flying)
        return len(claim.pushes) + claim.suppressed + claim.postponed

    async def _allowed(self, wanted: int, now: float) -> int:
        """How many of `wanted` pushes the provider may be fed now, by us and by everybody."""
        allowed = self._gate.allow(wanted, urgency=self.urgency, now=now)
        if allowed and self._rates is not None:
            shared = await self._rates.take(
                self.route, allowed, urgency=self.urgency, app_id=self.app_id
            )
            self._gate.give_back(allowed - shared, now=now)
            allowed = shared
        if allowed and self._pace is not None:
            paced = await self._pace.take(self.app_id, allowed, now=now)
            self._give_back_to_provider(allowed - paced, now)
            allowed = paced
        return allowed

    async def _in_pace(
        self, claimed: Sequence[tuple[HeldPush, Attempt]]
    ) -> Sequence[tuple[HeldPush, Attempt]]:
        """Those that their devices may have now; the others wait again, and nobody learns of it."""
        if self._device_pace is None or not claimed:
            return claimed
        outcomes = await self._device_pace.held_back([push.device_id for push, _ in claimed])
        free: list[tuple[HeldPush, Attempt]] = []
        for each, outcome in zip(claimed, outcomes, strict=True):
            if outcome is None:
                free.append(each)
            else:
                self._landed.append((each[0], outcome))
        if late := len(claimed) - len(free):
            self._metrics.held_back.labels(*self.key).inc(late)
            self._touchdown.beat()
        return free

    def _give_back(self, unused: int, now: float) -> None:
        if self._pace is not None:
            self._pace.give_back(self.app_id, unused)
        self._give_back_to_provider(unused, now)

    def _give_back_to_provider(self, unused: int, now: float) -> None:
        self._gate.give_back(unused, now=now)
        if self._rates is not None:
            self._rates.give_back(self.route, unused, app_id=self.app_id)

    async def settle(self) -> int:
        """Settle what landed; how many."""
        landed = list(self._landed)
        if not landed:
            return 0
        now = self._clock.now()
        settlements = [
            settlement_of(push, outcome, now=now, dice=random.uniform) for push, outcome in landed
        ]
        ids = await self._store.settle(settlements, now=now)
        # Only now: had the store failed, they would be settled by the next run.
        del self._landed[: len(landed)]
        self.pulse.beat()
        settled = [each for each in settlements if each.push.id in ids]
        if len(settled) < len(landed):
            self._metrics.lost.labels(*self.key).inc(len(landed) - len(settled))
            log.warning("push leases lost", extra={"pushes": len(landed) - len(settled)})
        # Nobody was asked about what we held back, so it teaches nothing.
        self._count([outcome for _, outcome in landed if outcome.reason != DEVICE_BUSY])
        settled = [each for each in settled if each.outcome.reason != DEVICE_BUSY]
        await self._feedback.learn(settled, faults=self._lessons(settled))
        if self._brakes is not None:
            await self._brakes.learn(settled, hold=self._gate.hold)
        await self._share(settled)
        return len(landed)

    def _count(self, answers: Sequence[Outcome]) -> None:
        for verdict, times in collections.Counter(each.verdict for each in answers).items():
            labels = (self.app_id, self.provider.name, self.urgency, verdict)
            self._metrics.attempts.labels(*labels).inc(times)
        self._in_flight.set(self._flying)

    def _lessons(self, settled: Sequence[Settlement]) -> list[TokenFault]:
        """Teach the gate, and the addresses that are at fault themselves."""
        now = self._clock.monotonic()
        held = self._gate.hold
        faults: list[TokenFault] = []
        for each in settled:
            if _says_something_of_the_route(each):
                faults += self._gate.learn(each.push, each.outcome, now=now)
            if each.state in (PushState.REJECTED, PushState.DEAD):
                log.warning(
                    "push failed",
                    extra={
                        "push_id": each.push.id,
                        "provider": self.provider.name,
                        "verdict": each.outcome.verdict,
                        "reason": each.outcome.reason,
                    },
                )
        if self._gate.hold is not held:
            log.error(
                "route held" if self._gate.hold else "route released",
                extra={
                    "app": self.app_id,
                    "route": self.route,
                    "reason": self._gate.hold or held,
                },
            )
        return faults

    async def _share(self, settled: Sequence[Settlement]) -> None:
        """Tell everybody who feeds this credential that its provider wants to hear less."""
        if self._rates is None:
            return
        pauses = [self._gate.pause_for(each.outcome) for each in settled]
        longest = max((pause for pause in pauses if pause is not None), default=None)
        if longest is not None:
            await self._rates.complained(self.route, retry_after=longest, app_id=self.app_id)

    async def _send(self, pushes: Sequence[tuple[HeldPush, Attempt]]) -> None:
        """One flight: what lands early is settled early, whatever the others wait for."""
        started = self._clock.monotonic()
        flying = len(pushes)

        def landed(number: int, outcome: Outcome) -> None:
            nonlocal flying
            flying -= 1
            self._flying -= 1
            push, attempt = pushes[number]
            self._landed.append((push, told_of(attempt, outcome)))
            self._seconds.observe(self._clock.monotonic() - started)
            self._touchdown.beat()

        try:
            await self.provider.send([attempt for _, attempt in pushes], landed=landed)
        finally:
            self._flying -= flying


def _says_something_of_the_route(settled: Settlement) -> bool:
    """Not what was or is to be tried in the other environment, but for an address that is in
    neither."""
    if settled.push.elsewhere is None:
        return not (settled.outcome.misplaced and settled.state is PushState.RETRY)
    return settled.outcome.misplaced
