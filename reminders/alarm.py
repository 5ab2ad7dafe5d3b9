"""Alarms: reminders that a device keeps and shows by itself. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.ids import UserId
from kernel.outbox import Entry
from reminders.due import nominal
from reminders.firing import DueFiring
from reminders.handover import meaning_of
from reminders.identity import collapse_key

AT_ONCE = 64
"""Alarms that a device may hold: iOS keeps no more local notifications."""


ALARMS_CHANGED = "alarms.changed"
"""The kind of an outbox entry: what a device holds is no longer so."""


@dataclass(frozen=True, slots=True)
class AlarmSync:
    """What a device said that it holds: these alarms, and all there is until an instant.

    Since `stale_at` it is known that this, or what it asked for since, is no longer so; the device
    was told to sync again.
    """

    device_id: UUID
    user_id: UserId
    alarms: tuple[str, ...]
    until: datetime
    acknowledged_at: datetime
    stale_at: datetime | None = None


class AlarmsChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A device holds alarms that are no longer so, since an instant."""

    user_id: UserId
    device_id: UUID
    since: datetime


def alarms_changed(user_id: UserId, device_id: UUID, since: datetime) -> Entry:
    """The entry that tells of it."""
    changed = AlarmsChanged(user_id=user_id, device_id=device_id, since=since)
    return Entry(ALARMS_CHANGED, msgspec.json.encode(changed))


def alarm_of(due: DueFiring) -> str:
    """The firing and its version: whatever a device shows of it, or when, makes another.

    A device that holds an older version is told by a push, which takes the place of what it shows.
    """
    assert due.task is not None, "what is to be said has a task"
    firing, person, payment = due.firing, due.person, due.task.details.payment
    shown = (
        firing.due_at.isoformat(),
        nominal(meaning_of(firing, due.event, due.task)),
        due.event.title,
        due.task.title,
        "" if person is None else f"{person.locale} {person.zone_now} {person.hijri}",
        *(() if payment is None else (str(payment.amount), payment.currency)),
    )
    version = hashlib.blake2b("\x1f".join(shown).encode(), digest_size=6).hexdigest()
    return f"{collapse_key(firing.dedupe_key)}.{version}"
