"""The zone watch: when the rules of a zone change, the plans made from them are made again.

Governments move their clocks with weeks of notice. What is kept is wall time, so nothing has
to be converted: plans are recomputed, and each firing keeps its identity.
"""

import asyncio
import hashlib
import logging
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta

from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.workers import Pulse, Stop, repeat
from reminders.times import ZONE_DATA_VERSION, change_between, offset_of, zone_names
from reminders.zone_state import ZoneState, ZoneStore

log = logging.getLogger(__name__)

AHEAD = timedelta(days=3 * 366)
"""How far a fingerprint looks; further ahead nothing is planned or shown."""

RENEWED = timedelta(days=180)
"""After so long a fingerprint is taken from a later day."""

_REST = 24 * 3600.0
_DAY = timedelta(days=1)


class ZoneWatch:
    """Looks at start and once a day. Safe to run many times: marking twice is harmless."""

    name = "zone watch"

    def __init__(
        self, *, store: ZoneStore, clock: Clock, metrics: Metrics, planning: Pulse
    ) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning
        self._changes = metrics.counter(
            "reminders_zone_changes_total", "Zones in use whose rules were found changed."
        )

    async def open(self) -> None:
        """Refuse to start with zone data that is older than what plans were made from."""
        newest = max((state.version for state in await self._store.zone_states()), default="")
        if newest > ZONE_DATA_VERSION:
            raise Unavailable(
                f"The time-zone data here is {ZONE_DATA_VERSION}, and reminders were planned"
                f" with {newest} already: install that version of the package tzdata, or a later."
            )

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=_REST)

    async def step(self) -> int:
        """Compare the zones in use with what they were; always 0, for it is done at once."""
        now = self._clock.now()
        zones = await self._store.zones()
        known = await self._store.zone_states()
        states, changed = await asyncio.to_thread(compared, zones, known, now.date())
        if states:
            marked = await self._store.put_zone_states(states, changed=changed, now=now)
            for zone in sorted(changed):
                log.info("zone changed", extra={"zone": zone, "version": ZONE_DATA_VERSION})
            if changed:
                self._changes.inc(len(changed))
                log.info("plans marked", extra={"plans": marked})
                self._planning.beat()
        return 0


def compared(
    zones: Collection[str], known: Sequence[ZoneState], today: date
) -> tuple[list[ZoneState], set[str]]:
    """The states to keep from now on, and the zones whose rules are others. Pure."""
    before = {state.zone: state for state in known}
    states: list[ZoneState] = []
    changed: set[str] = set()
    for zone in sorted(set(zones) & zone_names()):
        state = before.get(zone)
        if state is None:
            states.append(state_of(zone, today))
            continue
        # The same days as then, or the mere passing of time would look like a change.
        if state.fingerprint != state_of(zone, state.since).fingerprint:
            changed.add(zone)
        if zone in changed or state.version != ZONE_DATA_VERSION or today - state.since > RENEWED:
            states.append(state_of(zone, today))
    return states, changed


def state_of(zone: str, since: date) -> ZoneState:
    """The rules of a zone as they are in this process."""
    digest = hashlib.blake2b(digest_size=16)
    at = datetime.combine(since, time(), UTC)
    end = at + AHEAD
    offset = offset_of(at, zone)
    digest.update(repr(offset).encode())
    while at < end:
        if offset_of(at + _DAY, zone) != offset:
            moment = change_between(at, at + _DAY, zone)
            offset = offset_of(at + _DAY, zone)
            digest.update(f"{moment.isoformat()} {offset!r}".encode())
        at += _DAY
    return ZoneState(zone, since, digest.digest(), ZONE_DATA_VERSION)
