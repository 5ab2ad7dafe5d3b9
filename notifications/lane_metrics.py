"""What lanes count."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from kernel.metrics import Metrics


@dataclass(frozen=True, slots=True)
class LaneMetrics:
    """What every lane counts."""

    attempts: Counter
    seconds: Histogram
    in_flight: Gauge
    lost: Counter
    limited: Counter
    held_back: Counter

    @classmethod
    def of(cls, metrics: Metrics) -> "LaneMetrics":
        return cls(
            attempts=metrics.counter(
                "notifications_attempts_total",
                "Attempts by the provider's verdict.",
                ["app", "provider", "urgency", "verdict"],
            ),
            seconds=metrics.histogram(
                "notifications_attempt_seconds", "How long providers take.", ["provider", "urgency"]
            ),
            in_flight=metrics.gauge(
                "notifications_in_flight", "Attempts under way.", ["app", "route", "urgency"]
            ),
            lost=metrics.counter(
                "notifications_settlements_lost_total",
                "Outcomes that came after their lease had ended.",
                ["app", "route", "urgency"],
            ),
            limited=metrics.counter(
                "notifications_limiter_waits_total",
                "Times that a lane with room was told to wait, by a rate or a hold.",
                ["app", "route", "urgency"],
            ),
            held_back=metrics.counter(
                "notifications_held_back_total",
                "Pushes that waited because their device had had enough for the moment.",
                ["app", "route", "urgency"],
            ),
        )
