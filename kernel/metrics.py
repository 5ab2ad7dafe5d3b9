"""Counters, gauges and histograms of one process, kept by prometheus_client."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

M = TypeVar("M", bound=Counter | Gauge | Histogram)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets for durations, from a fast query to a provider's deadline."""


class LocalCounter:
    """What is counted very often, and by one thread: a number, without a counter's lock.

    Whoever counts adds to `count`; what it has is put onto its counter when that is read.
    """

    __slots__ = ("_counter", "count")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.count = 0

    def settle(self) -> None:
        """Put onto the counter what was counted since."""
        counted, self.count = self.count, 0
        self._counter.inc(counted)


class Metrics:
    """Where a process's numbers live. Names are `<room>_<noun>_<unit or total>`.

    Asking for a name again gives the same one, so that two of a kind count together.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._local: list[LocalCounter] = []

    def counter(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
        return self._one(
            name, Counter, lambda: Counter(name, documentation, labels, registry=self._registry)
        )

    def local_counter(self, counter: Counter) -> LocalCounter:
        """A quicker way to count, for the thread that asks for the exposition as well."""
        local = LocalCounter(counter)
        self._local.append(local)
        return local

    def gauge(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
        return self._one(
            name, Gauge, lambda: Gauge(name, documentation, labels, registry=self._registry)
        )

    def histogram(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = SECONDS,
    ) -> Histogram:
        return self._one(
            name,
            Histogram,
            lambda: Histogram(
                name, documentation, labels, registry=self._registry, buckets=buckets
            ),
        )

    def exposition(self) -> bytes:
        """All of them in Prometheus' text format, version 0.0.4."""
        for local in self._local:
            local.settle()
        return generate_latest(self._registry)

    def _one(self, name: str, kind: type[M], make: Callable[[], M]) -> M:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = make()
        if not isinstance(made, kind):
            raise ValueError(f"{name} is a {type(made).__name__} already")
        return made
