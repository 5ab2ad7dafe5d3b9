"""Counters, gauges and histograms of one process, kept by prometheus_client."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

M = TypeVar("M", bound=Counter | Gauge | Histogram)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets for durations, from a fast query to a provider's deadline."""


class Metrics:
    """Where a process's numbers live. Names are `<room>_<noun>_<unit or total>`.

    Asking for a name again gives the same one, so that two of a kind count together.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
        return self._one(
            name, Counter, lambda: Counter(name, documentation, labels, registry=self._registry)
        )

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
        return generate_latest(self._registry)

    def _one(self, name: str, kind: type[M], make: Callable[[], M]) -> M:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = make()
        if not isinstance(made, kind):
            raise ValueError(f"{name} is a {type(made).__name__} already")
        return made
