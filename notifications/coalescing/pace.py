"""When a device is told of a thread again, and how much that stands for. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Told:
    """What a device was last told of a thread, or is about to be.

    The push `push_id` is about the place `place` and stands for `count` notices; it is due at
    `due_at`. `shown` says that an earlier one of the thread may be on the device.
    """

    push_id: UUID
    due_at: datetime
    place: int
    count: int
    shown: bool


def following(
    last: Told | None,
    *,
    is_waiting: bool,
    push_id: UUID,
    place: int,
    now: datetime,
    not_before: datetime | None,
    interval: timedelta,
) -> Told:
    """What the device is told after one more notice.

    The first is told at once. What follows before `interval` is over waits for its end, and
    takes the place of what waits already (`is_waiting`): then it stands for that as well.
    """
    if last is None:
        due_at, count, shown = now, 1, False
    elif is_waiting:
        due_at, count, shown = last.due_at, last.count + 1, last.shown
    else:
        # One that left before it was due was let go early: a change of preferences does that.
        due_at, count, shown = max(now, min(last.due_at, now) + interval), 1, True
    if not_before is not None:
        due_at = max(due_at, not_before)
    return Told(push_id, due_at, place, count, shown)
