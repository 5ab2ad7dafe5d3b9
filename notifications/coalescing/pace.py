"""When a device is told of a thread again, and how much that stands for. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Told:
    """What a device was last told of a thread, or is about to be.

    The push `push_id` is about the place `place`, says `words` and stands for `count` notices;
    it is due at `due_at`. An earlier one of the thread that left before it, `before`, may be on
    the device: so says `shown`.
    """

    push_id: UUID
    due_at: datetime
    place: int
    count: int
    shown: bool
    words: str = ""
    before: UUID | None = None


def following(
    last: Told | None,
    *,
    is_waiting: bool,
    push_id: UUID,
    place: int,
    words: str,
    now: datetime,
    not_before: datetime | None,
    interval: timedelta,
) -> Told:
    """What the device is told after one more notice.

    The first is told at once. What follows before `interval` is over waits for its end, and
    takes the place of what waits already (`is_waiting`): then it stands for that as well.
    One that comes after a later place counts too, and says what is said there: relays work side
    by side, and nobody shall see an older message where a newer one was.
    """
    before = None
    if last is None:
        due_at, count, shown = now, 1, False
    elif is_waiting:
        due_at, count, shown, before = last.due_at, last.count + 1, last.shown, last.before
    else:
        # One that left before it was due was let go early: a change of preferences does that.
        due_at, count, shown = max(now, min(last.due_at, now) + interval), 1, True
        before = last.push_id
    if not_before is not None:
        due_at = max(due_at, not_before)
    if last is not None and place < last.place:
        # A release before this one remembered no words.
        place, words = last.place, last.words or words
    return Told(push_id, due_at, place, count, shown, words, before)
