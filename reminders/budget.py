"""How many pushes a user gets in one day; the rest is told in the next digest. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from kernel.ids import UserId
from reminders.firing import FiringClass

PUSHES_A_DAY = 3
"""Of those that are policy. What a person timed, payments and the day itself are free."""

OVER_BUDGET = "three reminders a day are enough"

_RANKS = {FiringClass.POLICY_NEAR: 0, FiringClass.POLICY_FAR: 1, FiringClass.NAG: 2}


@dataclass(frozen=True, slots=True)
class Ask:
    """One push asks for a place in its user's day, on the wall of where the user is.

    `key` is the identity of what it tells first: asking again for what was granted costs
    nothing. Of several the ones with the lower `rank` matter more.
    """

    user_id: UserId
    day: date
    key: bytes
    rank: int


def rank_of(classes: Sequence[FiringClass]) -> int | None:
    """How much a push that tells such firings matters among others; None if it is free."""
    ranks = [_RANKS.get(each) for each in classes]
    known = [rank for rank in ranks if rank is not None]
    return min(known) if len(known) == len(ranks) else None


def granted(asks: Sequence[Ask], spent: Sequence[bytes]) -> list[bytes]:
    """Which pushes one user's day has had when these asked too; those of before first."""
    after = list(spent)
    for ask in sorted(asks, key=lambda ask: (ask.rank, ask.key)):
        if ask.key not in after and len(after) < PUSHES_A_DAY:
            after.append(ask.key)
    return after
