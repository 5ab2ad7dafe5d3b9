"""What reports need from the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from notifications.reports.types import Report


class ReportStore(Protocol):
    """What devices said. Every method is one whole transaction."""

    async def keep(self, reports: Sequence[Report], *, now: datetime) -> int:
        """Keep what is new about pushes that are still known; how many.

        The first report of an event counts; the same again changes nothing.
        """
        ...
