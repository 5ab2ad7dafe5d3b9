"""One timer for the deadlines of all connections: pings, pongs, expiry, closing."""

import math

from kernel.clock import Clock
from kernel.workers import Stop, repeat
from messaging.connections.departures import Wire

GRAIN = 0.25
"""Seconds between turns of the wheel: how late a deadline may be noticed."""


class TimerWheel:
    """Wires by the quarter second in which something is due for them.

    A deadline that moves later is not moved here: its wire is asked in vain once and says when
    to ask again. That is cheaper than moving it with every pong.

    When the event loop stood still, what clients said meanwhile lies unread in their sockets. So
    a turn that comes late asks nobody: it leaves that to the next one, before which all of it
    is read.
    """

    name = "wheel"

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._slots: dict[int, dict[Wire, None]] = {}
        self._turned = self._slot(clock.monotonic()) - 1
        self._last_step = clock.monotonic()
        self._let_others_first = False

    def now(self) -> float:
        """The monotonic seconds that deadlines are told in."""
        return self._clock.monotonic()

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=GRAIN)

    async def step(self) -> int:
        """Ask every wire whose time has come. Always 0: the next turn is a grain away."""
        now = self._clock.monotonic()
        late = now - self._last_step > 2 * GRAIN
        self._last_step = now
        # Never twice running: a loop that is always late must still ping and close.
        self._let_others_first = late and not self._let_others_first
        if self._let_others_first:
            return 0
        last = math.floor(now / GRAIN)
        while self._turned < last:
            self._turned += 1
            for wire in self._slots.pop(self._turned, ()):
                wire.slot = 0
                at = wire.tick(now)
                if at is not None:
                    self.by(wire, at)
        return 0

    def by(self, wire: Wire, at: float) -> None:
        """Ask `wire` at `at`, or before; with infinity, never."""
        if at == math.inf:
            return
        slot = max(self._slot(at), self._turned + 1)
        if wire.slot:
            if wire.slot <= slot:
                return
            self.forget(wire)
        wire.slot = slot
        self._slots.setdefault(slot, {})[wire] = None

    def forget(self, wire: Wire) -> None:
        """Ask `wire` no more."""
        if wire.slot:
            wires = self._slots.get(wire.slot)
            if wires is not None:
                wires.pop(wire, None)
                if not wires:
                    del self._slots[wire.slot]
            wire.slot = 0

    @staticmethod
    def _slot(at: float) -> int:
        return math.ceil(at / GRAIN)
