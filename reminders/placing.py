"""From the moment a rule means to the moment it speaks: what gives way, and how far. Pure.

A time that a person typed is exact and gives way to nothing. Policy leaves people alone when
it is quiet, and spreads over some minutes, so that nine o'clock is not one instant.
"""

import hashlib
from datetime import datetime, time, timedelta
from functools import lru_cache

import msgspec

from kernel.ids import UserId
from reminders.due import instant_of
from reminders.firing import OVERDUE, FiringClass
from reminders.quiet import FASTING_CLOCK, Hush, shifted, stays_allowed
from reminders.times import resolve, wall_of
from reminders.types import Due

BEFORE_DUE = timedelta(minutes=60)
"""When a reminder's own time would come after the due: an early appointment, a late clock."""

EVENING_BEFORE = time(18)
"""Where that is quiet: on the evening before."""

USUAL_SPREAD, LONGEST_SPREAD = timedelta(minutes=4), timedelta(hours=1)
"""Of policy that comes before a due; operators may want more."""

SPREAD = {
    FiringClass.POLICY_FAR: USUAL_SPREAD,
    FiringClass.POLICY_NEAR: USUAL_SPREAD,
    FiringClass.POLICY_LOW: USUAL_SPREAD,
    FiringClass.PAYMENT: USUAL_SPREAD,
    FiringClass.EVENT: USUAL_SPREAD,
    FiringClass.GUEST: timedelta(minutes=10),
    FiringClass.NAG: timedelta(minutes=10),
    FiringClass.PAYMENT_LATE: timedelta(minutes=10),
}
"""Over how long the firings of a class spread. The others are exact."""

POLITE = frozenset(SPREAD)
"""Classes that leave people alone when it is quiet."""

POLICY = POLITE - OVERDUE - {FiringClass.EVENT, FiringClass.GUEST}
"""Of those the ones that come before a task's due."""


class Nominal(msgspec.Struct, frozen=True):
    """When a rule speaks before anything gives way: the wall it was found on, the instant."""

    at: datetime
    zone: str
    wall: datetime


class Placement(msgspec.Struct, frozen=True):
    """When it speaks, and what moved it there from its nominal time."""

    at: datetime
    clamped: bool = False
    """Its own time would have come after the due."""
    moved_by: str = ""
    """Why it is quiet at its own time; empty when it is not."""
    jitter: timedelta = timedelta(0)


class Calm(msgspec.Struct, frozen=True):
    """Where a firing stands before it is spread: the same for everybody with the same habits."""

    at: datetime
    latest: datetime
    clamped: bool = False
    moved_by: str = ""
    stays: bool = False
    """It is not quiet within the longest spread."""


def place(
    nominal: Nominal,
    due: Due,
    firing_class: FiringClass,
    *,
    user_id: UserId,
    hush: Hush,
    useful_until: datetime,
    at_least: timedelta = timedelta(0),
) -> Placement:
    """When a firing goes off. Exact ones keep their time, unless the due itself is earlier."""
    calm = calmed(nominal, due, firing_class, hush=hush, useful_until=useful_until)
    return spread(calm, firing_class, user_id=user_id, hush=hush, at_least=at_least)


def calmed(
    nominal: Nominal, due: Due, firing_class: FiringClass, *, hush: Hush, useful_until: datetime
) -> Calm:
    """The same before it is spread."""
    if firing_class not in POLITE:
        at, clamped = _clamped(nominal, due)
        return Calm(at, useful_until, clamped)
    latest, late = useful_until, _in_ramadan(nominal, hush)
    at, clamped = late.at, False
    if firing_class not in OVERDUE:
        at, clamped = _clamped(late, due)
        if due.at is not None:
            latest = min(latest, instant_of(due, nominal.zone))
    moved_by = hush.reason(wall_of(at, hush.zone))
    if moved_by:
        if clamped:
            evening = wall_of(at, hush.zone).date() - timedelta(days=1)
            at = resolve(datetime.combine(evening, EVENING_BEFORE), hush.zone)
        at = shifted(at, hush, latest=latest)
    stays = stays_allowed(at, hush, within=LONGEST_SPREAD)
    return Calm(at, latest, clamped, moved_by, stays)


def spread(
    calm: Calm, firing_class: FiringClass, *, user_id: UserId, hush: Hush, at_least: timedelta
) -> Placement:
    """Where one user's own part of the minutes after puts it: policy's are `at_least` so long."""
    jitter = SPREAD.get(firing_class)
    if jitter is None:
        return Placement(calm.at, calm.clamped)
    if firing_class in POLICY:
        jitter = max(jitter, at_least)
    later = jitter_of(user_id, jitter)
    at = calm.at + later
    # Spreading must not push anybody into quiet, or past the point.
    if at >= calm.latest or (not calm.stays and hush.reason(wall_of(at, hush.zone))):
        return Placement(calm.at, calm.clamped, calm.moved_by)
    return Placement(at, calm.clamped, calm.moved_by, later)


@lru_cache(maxsize=4096)
def jitter_of(user_id: UserId, spread: timedelta) -> timedelta:
    """The same for a user every day, and never early."""
    digest = hashlib.blake2b(user_id.encode(), digest_size=8).digest()
    seconds = int(spread.total_seconds())
    return timedelta(seconds=int.from_bytes(digest, "big") % seconds)


def _in_ramadan(nominal: Nominal, hush: Hush) -> Nominal:
    """Mornings begin later in Ramadan."""
    if nominal.wall.time() >= FASTING_CLOCK or not hush.is_fasting(nominal.wall.date()):
        return nominal
    wall = datetime.combine(nominal.wall.date(), FASTING_CLOCK)
    return msgspec.structs.replace(nominal, at=resolve(wall, nominal.zone), wall=wall)


def _clamped(nominal: Nominal, due: Due) -> tuple[datetime, bool]:
    """What would come after the due comes an hour before it: when, and whether it would."""
    if due.at is None or nominal.at < instant_of(due, nominal.zone):
        return nominal.at, False
    return instant_of(due, nominal.zone) - BEFORE_DUE, True
