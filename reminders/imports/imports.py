"""Importing a calendar into an event: see what it would do, and do it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.options import option
from kernel.workers import Pulse
from reminders.authority import Act, acting_for, require
from reminders.imports.entries import reading_of
from reminders.imports.merging import Importer, merged
from reminders.imports.types import Line, Reading
from reminders.ports import CalendarStore, Change
from reminders.types import Sheet

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Calendars that are imported."""

    calendar_bytes: int = option(
        524_288, "Size of a calendar, at most; server.body_bytes holds for it too."
    )

    def __post_init__(self) -> None:
        if self.calendar_bytes < 1_024:
            raise ValueError("calendar_bytes must be at least 1024")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became, or would become, of a calendar's entries."""

    name: str
    lines: Sequence[Line]
    left_out: int


class Imports:
    """For whoever may add tasks to the event. Both look at the same things; a preview that is
    followed by its import told the truth, unless somebody changed the event between them."""

    def __init__(
        self, *, store: CalendarStore, clock: Clock, planning: Pulse, options: ImportOptions
    ) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning
        self._options = options

    async def preview(self, principal: Principal, event_id: UUID, *, calendar: str) -> Imported:
        """What an import would do; nothing is changed."""
        reading, importer = await self._read(principal, event_id, calendar)
        sheet = await self._store.sheet(event_id, with_tasks=True)
        lines, _ = merged(reading, sheet, importer)
        return Imported(reading.name, lines, reading.left_out)

    async def run(self, principal: Principal, event_id: UUID, *, calendar: str) -> Imported:
        """Make the calendar's entries tasks of the event, or bring those it has up to date."""
        reading, importer = await self._read(principal, event_id, calendar)
        done: list[Line] = []

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.MAKE)
            lines, changes = merged(reading, sheet, importer)
            done.extend(lines)
            return changes

        await self._store.change(event_id, decide, now=importer.now, with_tasks=True)
        self._planning.beat()
        counts = Counter(str(line.state) for line in done)
        log.info("calendar imported", extra={"event_id": str(event_id), **counts})
        return Imported(reading.name, done, reading.left_out)

    async def _read(
        self, principal: Principal, event_id: UUID, calendar: str
    ) -> tuple[Reading, Importer]:
        sheet = await self._store.sheet(event_id)
        require(principal, sheet, Act.MAKE)
        limit = self._options.calendar_bytes
        if len(calendar.encode()) > limit:
            raise InvalidInput("calendar", f"must have at most {limit} bytes")
        # A stranger's calendar may take a second to read; others do not wait for it.
        reading = await asyncio.to_thread(reading_of, calendar, home=sheet.event.zone)
        return reading, Importer(acting_for(principal, None), self._clock.now())
