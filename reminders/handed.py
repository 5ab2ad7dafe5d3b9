"""Firings on their way: what the outbox says of them, from going off until they are in words."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

from reminders.firing import Firing

REMINDER = "reminder"
"""The kind of an outbox entry that holds a firing which went off."""

LATE = "reminders.late"
"""The kind of one that holds all that went off late for one user, so that no relay parts it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Handed(msgspec.Struct, frozen=True):
    """Where its record is, and what of the firing is not recorded there.

    The words are found when they are said: titles, languages and clocks may change until then.
    """

    key: str
    day: date
    zone: str
    useful_until: int
    """In microseconds since 1970."""
    grace: int
    event_version: int
    task_version: int

    @property
    def dedupe_key(self) -> bytes:
        return bytes.fromhex(self.key)

    @property
    def useful_until_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.useful_until)


def handed_payload(firing: Firing) -> bytes:
    """What an outbox entry says of a firing that went off."""
    return msgspec.json.encode(_handed(firing))


def late_payload(firings: Sequence[Firing]) -> bytes:
    """What an entry says of all that went off late for one user."""
    return msgspec.json.encode(list(map(_handed, firings)))


def _handed(firing: Firing) -> Handed:
    return Handed(
        key=firing.dedupe_key.hex(),
        day=firing.nominal_day,
        zone=firing.zone,
        useful_until=(firing.useful_until - _EPOCH) // timedelta(microseconds=1),
        grace=int(firing.grace.total_seconds()),
        event_version=firing.event_version,
        task_version=firing.task_version,
    )


def handed_of(payload: bytes) -> Sequence[Handed]:
    """What an entry of either kind says."""
    found = _read(payload)
    return [found] if isinstance(found, Handed) else found


_read = msgspec.json.Decoder(Handed | list[Handed]).decode
