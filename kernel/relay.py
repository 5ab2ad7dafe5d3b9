"""The relay: hands outbox entries to their handlers, and tries again what failed."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from kernel.backoff import Backoff
from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.options import option
from kernel.outbox import LOOK, Claimed, Handler, Outbox
from kernel.workers import Pulse, Stop, rest

log = logging.getLogger(__name__)

_SWEEP_SECONDS = 10.0
_SWEEP = 10_000


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """How outbox entries are handed over."""

    batch: int = option(500, "Entries claimed at once. More is faster, and later to give way.")
    lease_seconds: float = option(
        30.0, "How long a relay may work on a batch before another takes it over."
    )
    poll_seconds: float = option(0.5, "Rest between looks at an empty outbox.")
    pause_seconds: float = option(
        0.1, "Rest after a batch that was not full. Longer costs less, and pushes leave later."
    )
    attempts: int = option(10, "Tries before an entry is buried for an operator to see.")

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError("batch must be at least 1")
        if self.lease_seconds <= 0:
            raise ValueError("lease_seconds must be above 0")
        if self.poll_seconds <= 0:
            raise ValueError("poll_seconds must be above 0")
        if self.pause_seconds < 0:
            raise ValueError("pause_seconds must be at least 0")
        if self.attempts < 1:
            raise ValueError("attempts must be at least 1")


class Relay:
    """Safe to run many times: an entry is held by one relay until its lease ends."""

    name = "relay"

    def __init__(
        self,
        *,
        outbox: Outbox,
        handlers: Mapping[str, Handler],
        clock: Clock,
        metrics: Metrics,
        options: RelayOptions,
        pulse: Pulse,
        backoff: Backoff = Backoff(first=1.0, cap=300.0, floor=0.2),  # noqa: B008
    ) -> None:
        self._outbox = outbox
        self._handlers = handlers
        self._clock = clock
        self._options = options
        self._pulse = pulse
        self._backoff = backoff
        self._handled = metrics.counter(
            "kernel_outbox_entries_total", "Outbox entries by outcome.", ["kind", "outcome"]
        )
        self._ages = metrics.gauge(
            "kernel_outbox_oldest_due_age_seconds",
            f"Age of the oldest due entry, among the {LOOK} that are due longest.",
            ["kind"],
        )
        self._waiting = metrics.gauge(
            "kernel_outbox_waiting_entries",
            "Entries that wait: ready, leased or abandoned among those that are due, later or"
            f" buried. Counting stops at {LOOK}.",
            ["state"],
        )
        self._swept_at = float("-inf")

    async def run(self, stop: Stop) -> None:
        """Step at once while batches are full; otherwise let entries gather for a moment.

        A batch of one costs as much as a batch of many, and under load every entry beats the
        pulse. So an entry that comes alone is handed over at once, and those that follow it
        closely are handed over together.
        """
        options, clock = self._options, self._clock
        while not stop.asked:
            claimed = await self.step()
            if claimed == 0:
                await rest(options.poll_seconds, clock=clock, stop=stop, pulse=self._pulse)
            elif claimed < options.batch:
                await rest(options.pause_seconds, clock=clock, stop=stop)

    async def step(self) -> int:
        """Hand over one batch of due entries; how many were claimed."""
        await self._sweep()
        claimed = await self._outbox.claim(
            list(self._handlers),
            now=self._clock.now(),
            lease=timedelta(seconds=self._options.lease_seconds),
            limit=self._options.batch,
        )
        by_kind: dict[str, list[Claimed]] = defaultdict(list)
        for entry in claimed:
            by_kind[entry.kind].append(entry)
        for kind, entries in by_kind.items():
            await self._hand_over(self._handlers[kind], entries)
        return len(claimed)

    async def _hand_over(self, handler: Handler, entries: Sequence[Claimed]) -> None:
        kind = entries[0].kind
        try:
            then = await handler(entries)
            settled = await self._outbox.settle(entries, then=then, now=self._clock.now())
        except Unavailable as error:
            # None of them is to blame: halving would only wait for the same timeout again and
            # again, and keep every other kind waiting as well.
            for entry in entries:
                await self._postpone(entry, error)
            log.warning(
                "outbox entries postponed",
                extra={"kind": kind, "entries": len(entries), "error": str(error)},
            )
            return
        except Exception as error:  # noqa: BLE001
            # A poisoned entry may fail in any way, and must not hold back the others. An outage
            # of the database buries nothing: giving an entry back fails then as well, and that
            # ends this worker until the supervisor starts it again.
            if len(entries) == 1:
                await self._failed(entries[0], error)
                return
            middle = len(entries) // 2
            await self._hand_over(handler, entries[:middle])
            await self._hand_over(handler, entries[middle:])
            return
        outcome = "settled" if settled else "lost"
        self._handled.labels(kind, outcome).inc(len(entries))
        if not settled:
            log.warning("outbox lease lost", extra={"kind": kind, "entries": len(entries)})

    async def _failed(self, entry: Claimed, error: Exception) -> None:
        """Try an entry again later, or bury it. A handler that fails is somebody's bug."""
        buried = entry.attempts >= self._options.attempts
        if buried:
            await self._outbox.postpone(entry, until=None, error=_said(error))
            self._handled.labels(entry.kind, "buried").inc()
        else:
            await self._postpone(entry, error)
        log.error(
            "outbox entry buried" if buried else "outbox entry failed",
            extra={"kind": entry.kind, "entry_id": entry.id, "attempts": entry.attempts},
            exc_info=error,
        )

    async def _postpone(self, entry: Claimed, error: Exception) -> None:
        until = self._clock.now() + timedelta(seconds=self._backoff.delay(entry.attempts))
        await self._outbox.postpone(entry, until=until, error=_said(error))
        self._handled.labels(entry.kind, "postponed").inc()

    async def _sweep(self) -> None:
        """Once in a while: forget old entries and look how far behind we are."""
        now = self._clock.monotonic()
        if now - self._swept_at < _SWEEP_SECONDS:
            return
        # With more to forget than one look takes, the next step looks again.
        if await self._outbox.prune(now=self._clock.now(), limit=_SWEEP) == _SWEEP:
            return
        self._swept_at = now
        backlog = await self._outbox.backlog(now=self._clock.now())
        for kind in self._handlers:
            self._ages.labels(kind).set(backlog.ages.get(kind, 0.0))
        for state in ("ready", "leased", "abandoned", "later", "buried"):
            self._waiting.labels(state).set(getattr(backlog, state))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
