"""The dispatcher: claims due pushes, hands them to providers, settles the outcomes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.notices import Urgency
from kernel.options import option
from kernel.workers import Pulse, Stop, rest
from notifications.breaker import Hold
from notifications.feedback import Feedback
from notifications.gate import Gate
from notifications.lane import Lane, LaneMetrics
from notifications.ports import PushProvider, PushStore, SharedRates
from notifications.throttle import ThrottleOptions
from notifications.types import AddressKind, Route

_ROUTES: Mapping[AddressKind, tuple[Route, ...]] = {
    AddressKind.FCM_TOKEN: (Route.FCM,),
    AddressKind.FCM_FID: (Route.FCM,),
    AddressKind.FCM_TOPIC: (Route.FCM,),
    AddressKind.FCM_CONDITION: (Route.FCM,),
    AddressKind.APNS: (Route.APNS, Route.APNS_SANDBOX),
    AddressKind.WEBPUSH: (Route.WEBPUSH,),
}


@dataclass(frozen=True, slots=True)
class DispatcherOptions:
    """How many pushes are under way at once. Each class has room that no other can take."""

    interactive_width: int = option(200, "Chat pushes under way at once, per route.")
    transactional_width: int = option(100, "Reminders and the like under way at once, per route.")
    marketing_width: int = option(
        50, "Campaign pushes under way at once, per route: so many may be in doubt after a crash."
    )
    lease_seconds: float = option(
        60.0, "After how long an attempt without an outcome counts as lost with its process."
    )
    poll_seconds: float = option(0.5, "Rest between looks for pushes other processes planned.")
    probe_seconds: float = option(30.0, "How often a held route is tried with a single push.")

    def __post_init__(self) -> None:
        for name in ("interactive_width", "transactional_width", "marketing_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        # Providers answer within 15 seconds; the rest is for a slow database.
        if self.lease_seconds < 30:
            raise ValueError("lease_seconds must be at least 30")
        if self.poll_seconds <= 0:
            raise ValueError("poll_seconds must be above 0")
        if self.probe_seconds <= 0:
            raise ValueError("probe_seconds must be above 0")


class Dispatcher:
    """One lane per route and class. Safe to run many times: each push has one holder.

    `providers` are those of each class: a class whose providers are its own shares no
    connection with another. `pulse` beats when new pushes were planned in this process, and
    `rates` are kept with other dispatchers, if there are any.
    """

    name = "dispatcher"

    def __init__(
        self,
        *,
        store: PushStore,
        providers: Mapping[Urgency, Sequence[PushProvider]],
        feedback: Feedback,
        clock: Clock,
        metrics: Metrics,
        options: DispatcherOptions,
        throttle: ThrottleOptions,
        pulse: Pulse,
        rates: SharedRates | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._poll_seconds = options.poll_seconds
        self._pulse = pulse
        self.gates = {
            route: Gate(
                route,
                per_second=rate,
                probe_every=options.probe_seconds,
                ramp=throttle.ramp_seconds,
            )
            for route, rate in throttle.rates.items()
        }
        """What each route learnt; shared by its lanes."""
        self._rate = metrics.gauge(
            "notifications_route_rate",
            "Pushes a second that a provider's complaints leave.",
            ["route"],
        )
        self._held = metrics.gauge(
            "notifications_route_held",
            "1 while a route is held for this reason.",
            ["route", "reason"],
        )
        widths = {
            Urgency.INTERACTIVE: options.interactive_width,
            Urgency.TRANSACTIONAL: options.transactional_width,
            Urgency.MARKETING: options.marketing_width,
        }
        counted = LaneMetrics.of(metrics)
        self._lanes = [
            Lane(
                route=route,
                urgency=urgency,
                provider=provider,
                gate=self.gates[route],
                store=store,
                feedback=feedback,
                clock=clock,
                metrics=counted,
                width=widths[urgency],
                lease=timedelta(seconds=options.lease_seconds),
                rates=rates,
            )
            for urgency in Urgency
            for provider in providers.get(urgency, ())
            for route in sorted({route for kind in provider.carries for route in _ROUTES[kind]})
        ]

    async def run(self, stop: Stop) -> None:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look(stop))
            async with asyncio.TaskGroup() as lanes:
                for lane in self._lanes:
                    lanes.create_task(lane.run(stop), name=f"{lane.route}:{lane.urgency}")
            looking.cancel()

    async def step(self) -> int:
        """One round of every lane, the most urgent first; how many pushes were claimed."""
        return sum([await lane.step() for lane in self._lanes])

    async def _look(self, stop: Stop) -> None:
        """Wake the lanes that have something to do; an idle one costs nothing."""
        while not stop.asked:
            self._observe()
            waiting = await self._store.waiting(now=self._clock.now())
            for lane in self._lanes:
                if (lane.route, lane.urgency) in waiting:
                    lane.pulse.beat()
            await rest(self._poll_seconds, clock=self._clock, stop=stop, pulse=self._pulse)

    def _observe(self) -> None:
        for route, gate in self.gates.items():
            self._rate.labels(route).set(gate.rate)
            for hold in Hold:
                self._held.labels(route, hold).set(gate.hold is hold)
