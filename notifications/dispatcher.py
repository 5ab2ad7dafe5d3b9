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
from notifications.app_pace import AppPace
from notifications.braking import Brakes
from notifications.breaker import Hold
from notifications.device_pace import DevicePace
from notifications.feedback import Feedback
from notifications.gate import Gate
from notifications.lane import Lane, LaneKey
from notifications.lane_metrics import LaneMetrics
from notifications.ports import PushProvider, PushStore, SharedRates
from notifications.throttle import ThrottleOptions
from notifications.types import DEFAULT_APP, AddressKind, Route
from notifications.vitals import Vitals

_ROUTES: Mapping[AddressKind, tuple[Route, ...]] = {
    AddressKind.FCM_TOKEN: (Route.FCM,),
    AddressKind.FCM_FID: (Route.FCM,),
    AddressKind.FCM_TOPIC: (Route.FCM,),
    AddressKind.FCM_CONDITION: (Route.FCM,),
    AddressKind.APNS: (Route.APNS, Route.APNS_SANDBOX),
    AddressKind.WEBPUSH: (Route.WEBPUSH,),
}


_VITALS = {
    "connections": "Connections to a provider.",
    "slots": "Attempts that a provider lets be under way on its connections together.",
    "waiting": "Attempts that wait for a slot.",
    "drained": "Connections that a provider wanted to end (GOAWAY) since they were opened.",
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
    """One lane per app, route and class. Safe to run many times: each push has one holder.

    `providers` are the default app's for each class: a class whose providers are its own
    shares no connection with another. Further ones come and go while it runs. `pulse` beats
    when new pushes were planned in this process, `rates` are kept with other dispatchers, if
    there are any, `brakes` stop campaigns that go wrong, `pace` is how fast an app's may go, and
    `device_pace` how much a phone is sent through FCM.
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
        brakes: Brakes | None = None,
        pace: AppPace | None = None,
        device_pace: DevicePace | None = None,
    ) -> None:
        self._store = store
        self._feedback = feedback
        self._clock = clock
        self._options = options
        self._pulse = pulse
        self._throttle = throttle
        self._rates = rates
        self._brakes = brakes
        self._pace = pace
        self._device_pace = device_pace
        self._metrics = LaneMetrics.of(metrics)
        self._rate = metrics.gauge(
            "notifications_route_rate",
            "Pushes a second that a provider's complaints leave.",
            ["app", "route"],
        )
        self._held = metrics.gauge(
            "notifications_route_held",
            "1 while a route is held for this reason.",
            ["app", "route", "reason"],
        )
        self._vitals = {
            what: metrics.gauge(f"notifications_provider_{what}", said, ["app", "provider"])
            for what, said in _VITALS.items()
        }
        self._widths = {
            Urgency.INTERACTIVE: options.interactive_width,
            Urgency.TRANSACTIONAL: options.transactional_width,
            Urgency.MARKETING: options.marketing_width,
        }
        self._gates: dict[tuple[str, Route], Gate] = {}
        self._lanes: dict[LaneKey, Lane] = {}
        self._stops: dict[LaneKey, Stop] = {}
        self._running: asyncio.TaskGroup | None = None
        for urgency in Urgency:
            for provider in providers.get(urgency, ()):
                self.serve(DEFAULT_APP, urgency, provider)

    def gate(self, route: Route, *, app_id: str = DEFAULT_APP) -> Gate:
        """What an app's route learnt; shared by its lanes."""
        key = (app_id, route)
        if key not in self._gates:
            self._gates[key] = Gate(
                route,
                per_second=self._throttle.rates[route],
                probe_every=self._options.probe_seconds,
                ramp=self._throttle.ramp_seconds,
            )
        return self._gates[key]

    def serve(self, app_id: str, urgency: Urgency, provider: PushProvider) -> None:
        """Carry an app's pushes of one class with this provider, from now on."""
        for route in _routes_of(provider):
            lane = Lane(
                app_id=app_id,
                route=route,
                urgency=urgency,
                provider=provider,
                gate=self.gate(route, app_id=app_id),
                store=self._store,
                feedback=self._feedback,
                clock=self._clock,
                metrics=self._metrics,
                width=self._widths[urgency],
                lease=timedelta(seconds=self._options.lease_seconds),
                rates=self._rates,
                # Only pushes of campaigns belong to one.
                brakes=self._brakes if urgency is Urgency.MARKETING else None,
                pace=self._pace if urgency is Urgency.MARKETING else None,
                # APNs says by itself when a device has had enough; its number is not known.
                device_pace=self._device_pace if route is Route.FCM else None,
            )
            self._lanes[lane.key] = lane
            if self._running is not None:
                self._start(lane, self._running)

    def retire(self, app_id: str, urgency: Urgency, provider: PushProvider) -> None:
        """Claim nothing more for it. What is in the air lands, what waits goes on waiting."""
        for route in _routes_of(provider):
            key = (app_id, route, urgency)
            self._lanes.pop(key, None)
            if (stop := self._stops.pop(key, None)) is not None:
                stop.ask()

    def renew(self, app_id: str, provider: PushProvider) -> None:
        """Its credentials are others now: what held its routes no longer does."""
        for route in _routes_of(provider):
            self.gate(route, app_id=app_id).renew()

    async def run(self, stop: Stop) -> None:
        async with asyncio.TaskGroup() as lanes:
            self._running = lanes
            try:
                for lane in self._lanes.values():
                    self._start(lane, lanes)
                await self._look(stop)
            finally:
                self._running = None
                for each in self._stops.values():
                    each.ask()
                self._stops.clear()

    async def step(self) -> int:
        """One round of every lane, the most urgent first; how many pushes were claimed."""
        order = list(Urgency)
        lanes = sorted(self._lanes.values(), key=lambda lane: order.index(lane.urgency))
        return sum([await lane.step() for lane in lanes])

    def _start(self, lane: Lane, lanes: asyncio.TaskGroup) -> None:
        stop = self._stops[lane.key] = Stop()
        lanes.create_task(lane.run(stop), name=":".join(lane.key))

    async def _look(self, stop: Stop) -> None:
        """Wake the lanes that have something to do; an idle one costs nothing."""
        while not stop.asked:
            self._observe()
            app_ids = sorted({app_id for app_id, _, _ in self._lanes})
            waiting = await self._store.waiting(now=self._clock.now(), app_ids=app_ids)
            for key in waiting:
                if (lane := self._lanes.get(key)) is not None:
                    lane.pulse.beat()
            await rest(self._options.poll_seconds, clock=self._clock, stop=stop, pulse=self._pulse)

    def _observe(self) -> None:
        providers = {(key[0], lane.provider) for key, lane in self._lanes.items()}
        seen: dict[tuple[str, str], Vitals] = {}
        for app_id, provider in providers:
            known = seen.get((app_id, provider.name), Vitals())
            seen[app_id, provider.name] = known + provider.vitals
        for who, vitals in seen.items():
            for what, gauge in self._vitals.items():
                gauge.labels(*who).set(getattr(vitals, what))
        for (app_id, route), gate in self._gates.items():
            self._rate.labels(app_id, route).set(gate.rate)
            for hold in Hold:
                self._held.labels(app_id, route, hold).set(gate.hold is hold)


def _routes_of(provider: PushProvider) -> list[Route]:
    return sorted({route for kind in provider.carries for route in _ROUTES[kind]})
