"""Reports: devices tell what became of pushes, without a login."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.metrics import Metrics
from notifications.reports.ports import ReportStore
from notifications.reports.signing import ReportSigner
from notifications.reports.types import Report, ReportEvent

AT_ONCE = 100
"""Reports in one request, at most."""

LATE = timedelta(days=30)
"""A device that says something happened longer ago has a wrong clock."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a device says; `report_id` came with the push."""

    report_id: str
    event: ReportEvent
    at: datetime | None = None


class Reports:
    """What devices may tell. The signed id is all the proof they need."""

    def __init__(
        self, *, store: ReportStore, signer: ReportSigner, clock: Clock, metrics: Metrics
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._counted = metrics.counter(
            "notifications_reports_total",
            "What devices reported, repeats included.",
            ["event"],
        )
        self._forged = metrics.counter(
            "notifications_reports_forged_total", "Reports whose id nobody here signed."
        )

    async def tell(self, said: Sequence[Said]) -> int:
        """Take what devices say; how many had a true id. The same again changes nothing."""
        if len(said) > AT_ONCE:
            raise InvalidInput("reports", f"must hold at most {AT_ONCE}")
        now = self._clock.now()
        true: list[Report] = []
        for each in said:
            push_id = self._signer.named(each.report_id)
            if push_id is None:
                self._forged.inc()
            else:
                true.append(Report(push_id, each.event, _sound(each.at, now)))
        if true:
            await self._store.keep(true, now=now)
            for report in true:
                self._counted.labels(report.event).inc()
        return len(true)


def _sound(at: datetime | None, now: datetime) -> datetime:
    """When it was, as far as a phone's clock can be believed."""
    return at if at is not None and now - LATE <= at <= now else now
