"""A user's turn to be told a digest: what is looked at, and what becomes of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kernel.notices import entry_of
from kernel.outbox import Entry
from reminders.digests.digest import Digest, Folded, Plan, digest_of
from reminders.digests.notice import notice_of_digest
from reminders.digests.turns import Reader, Turn, is_timely, is_week, next_turn
from reminders.firing import FiringClass
from reminders.lateness import grace_of


@dataclass(frozen=True, slots=True)
class Agenda:
    """All that a user's digest is made from. Without `turn` nobody knows yet when it comes."""

    reader: Reader
    turn: Turn | None
    told_on: date | None
    plans: Sequence[Plan]
    folded: Sequence[Folded]


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a turn, and when the next is."""

    outcome: str
    next: Turn | None
    told_on: date | None
    entry: Entry | None = None
    tells: Sequence[Folded] = ()
    """What need not be told again."""


def turn(agenda: Agenda, *, now: datetime, default_locale: str) -> Turned:
    """What becomes of a turn that has come. Pure."""
    reader, due, told_on = agenda.reader, agenda.turn, agenda.told_on
    following = next_turn(reader, after=now, told_on=told_on)
    if due is None:
        return Turned("planned", following, told_on)
    if following is None:
        return Turned("off", None, told_on)
    if not is_timely(reader, due, now=now):
        return Turned("late", _this_mornings(reader, due, now) or following, told_on)
    if reader.person is not None and reader.person.muted:
        return Turned("muted", next_turn(reader, after=now, told_on=due.on), due.on)
    digest = digest_today(agenda, on=due.on)
    following = next_turn(reader, after=now, told_on=due.on)
    if not digest.says_something:
        # What was done before anybody could be told needs no telling.
        return Turned("empty", following, due.on, tells=agenda.folded)
    notice = notice_of_digest(digest, reader, now=now, default_locale=default_locale)
    return Turned("told", following, due.on, entry_of(notice), tells=agenda.folded)


def failed(told_on: date | None, now: datetime) -> Turned:
    """A turn that came to nothing: it comes again in a day."""
    at = now + timedelta(days=1)
    return Turned("failed", Turn(at, at.date()), told_on)


def _this_mornings(reader: Reader, due: Turn, now: datetime) -> Turn | None:
    """The digest that came due while nobody worked, later than `due`, and may still be told."""
    grace = grace_of(FiringClass.DIGEST, now, reader.zone)
    found = next_turn(reader, after=now - grace, told_on=due.on)
    return found if found is not None and is_timely(reader, found, now=now) else None


def digest_today(agenda: Agenda, *, on: date) -> Digest:
    """What the agenda's digest says on a day."""
    weekly = is_week(agenda.reader, on)
    return digest_of(agenda.reader, agenda.plans, agenda.folded, on=on, weekly=weekly)
