"""Telling devices that what they hold is no longer so."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from kernel.clock import Clock
from kernel.notices import Notice, Urgency, entry_of
from kernel.outbox import Claimed, Entry
from reminders.alarm import ALARMS_CHANGED, AlarmsChanged
from reminders.outside import Live

CATEGORY = "reminders"

LIFETIME = timedelta(days=1)
"""After so long without the news the device will have looked by itself."""


class AlarmNews:
    """The relay's handler: open apps are told on their user's channel, others by a silent push."""

    def __init__(self, *, live: Live, clock: Clock) -> None:
        self._live = live
        self._clock = clock

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """Tell the devices of a batch."""
        then: list[Entry] = []
        for entry in entries:
            changed = msgspec.json.decode(entry.payload, type=AlarmsChanged)
            key = f"alarms:{changed.device_id}:{changed.since.timestamp():.6f}"
            said = {"kind": ALARMS_CHANGED, "device_id": str(changed.device_id)}
            await self._live.tell_user(changed.user_id, msgspec.json.encode(said))
            then.append(entry_of(self._notice(changed, key)))
        return then

    def _notice(self, changed: AlarmsChanged, key: str) -> Notice:
        return Notice(
            user_ids=(changed.user_id,),
            template="",
            category=CATEGORY,
            urgency=Urgency.TRANSACTIONAL,
            dedupe_key=key,
            expires_at=self._clock.now() + LIFETIME,
            texts={"en": ("", "")},
            content={"kind": "background"},
            collapse_key=f"alarms-{changed.device_id}",
            data={"sync": "alarms"},
            device_ids=(changed.device_id,),
        )
