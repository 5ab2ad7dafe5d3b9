"""Runs workers under one task group: restarts what fails, stops them in order."""

import asyncio
import logging
from collections.abc import Sequence

from kernel.backoff import Backoff
from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.workers import Stop, Worker, rest

log = logging.getLogger(__name__)

HEALTHY_AFTER = 60.0
"""Seconds of work after which earlier failures no longer lengthen the rest after the next."""

STEADY_AFTER = 5.0
"""Seconds of work after which a worker is no longer called failing. All nodes fail and recover
together when the database does, so this must not keep them from serving for long."""


class Supervisor:
    """Keeps workers running until it is asked to stop."""

    def __init__(
        self, workers: Sequence[Worker], *, clock: Clock, metrics: Metrics, backoff: Backoff
    ) -> None:
        self.workers = tuple(workers)
        self._clock = clock
        self._backoff = backoff
        self._stop = Stop()
        self._failing: set[str] = set()
        self._working: set[str] = set()
        self._restarts = metrics.counter(
            "kernel_worker_restarts_total", "Workers started again after a failure.", ["worker"]
        )

    @property
    def failing(self) -> frozenset[str]:
        """Workers that failed and have not worked for a moment since: a health signal."""
        return frozenset(self._failing)

    @property
    def working(self) -> frozenset[str]:
        """Workers that have not ended."""
        return frozenset(self._working)

    def stop(self) -> None:
        """Ask every worker to finish its step; `run` returns when they have."""
        self._stop.ask()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for worker in self.workers:
                group.create_task(self._keep(worker), name=f"worker:{worker.name}")

    async def _keep(self, worker: Worker) -> None:
        failures = 0
        while not self._stop.asked:
            started = self._clock.monotonic()
            error = await self._failure_of(worker)
            if error is None:
                return
            if self._clock.monotonic() - started > HEALTHY_AFTER:
                failures = 0
            failures += 1
            delay = self._backoff.delay(failures)
            self._failing.add(worker.name)
            self._restarts.labels(worker.name).inc()
            log.error(
                "worker failed",
                extra={"worker": worker.name, "restart_in": round(delay, 2)},
                exc_info=error,
            )
            await rest(delay, clock=self._clock, stop=self._stop)

    async def _failure_of(self, worker: Worker) -> BaseException | None:
        """Let a worker run; why it ended, or None if that was asked of it."""
        recovering = asyncio.create_task(self._recovered(worker))
        self._working.add(worker.name)
        try:
            await worker.run(self._stop)
        except Exception as error:
            return error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something inside was cancelled, not we: without this the worker would be gone.
            return error
        finally:
            self._working.discard(worker.name)
            recovering.cancel()
        if self._stop.asked:
            return None
        return RuntimeError("it returned without being asked")

    async def _recovered(self, worker: Worker) -> None:
        await self._clock.sleep(STEADY_AFTER)
        self._failing.discard(worker.name)
