"""What is told in the next digest instead of at once. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kernel.ids import UserId
from reminders.catching_up import BEHIND
from reminders.firing import PAYMENTS, FiringClass, Judgement, Outcome
from reminders.person import Digests, Person
from reminders.saying import Said

WHILE_AWAY = "late by an outage; told in one with others"

_RANKS = {
    FiringClass.PAYMENT: 0,
    FiringClass.PAYMENT_LATE: 0,
    FiringClass.POLICY_NEAR: 1,
    FiringClass.POLICY_FAR: 2,
    FiringClass.NAG: 3,
}
"""What is told of tasks at no time that anybody typed: what matters more comes first."""

MATTERS_LITTLE = "not worth a push"
TOO_LATE = "too late for a push of its own"

DIGEST_TELLS, NO_DIGEST = "; the next digest tells it", "; the user wants no digest"
"""How the reasons end for which something is left to the digest."""


def caught_up(said: Sequence[Said], *, now: datetime) -> list[Said]:
    """The same, with what an outage made late for one user folded: all but the one of the
    highest class, if there is one such.

    Where that leaves one alone it is told by itself as well; and so is what users timed, and
    the event's own news.
    """
    late: dict[UserId, list[Said]] = defaultdict(list)
    for each in said:
        firing = each.due.firing
        if firing.firing_class in _RANKS and now - firing.due_at > BEHIND:
            late[firing.user_id].append(each)
    folded = {each.due.firing.dedupe_key for ranked in late.values() for each in _rest(ranked)}
    return [
        replace(each, outcome=Outcome.FOLDED) if each.due.firing.dedupe_key in folded else each
        for each in said
    ]


def _rest(late: Sequence[Said]) -> Sequence[Said]:
    """What is told in one, of what is late for one user."""
    ranks = [_RANKS[each.due.firing.firing_class] for each in late]
    first = min(ranks) if ranks.count(min(ranks)) == 1 else None
    rest = [each for each, rank in zip(late, ranks, strict=True) if rank != first]
    return rest if len(rest) > 1 else []


def parted(said: Sequence[Said], *, now: datetime) -> tuple[list[Said], list[tuple[Said, str]]]:
    """What is told at once, and what the digest tells, with the reason.

    What matters little waits for the digest. So does what is late, but for several of one user:
    that was an outage, and they are told in one. Who wants no digest is told all the same.
    """
    late = Counter(each.due.firing.user_id for each in said if each.outcome is Outcome.FOLDED)
    at_once: list[Said] = []
    for_digest: list[tuple[Said, str]] = []
    for each in said:
        firing, person = each.due.firing, each.due.person
        expired = firing.firing_class in PAYMENTS and firing.useful_until <= now
        alone = each.outcome is Outcome.FOLDED and late[firing.user_id] == 1
        if firing.firing_class is FiringClass.POLICY_LOW:
            for_digest.append((each, MATTERS_LITTLE))
        elif _is_wanted(person) and (alone or expired):
            for_digest.append((each, TOO_LATE))
        else:
            at_once.append(each)
    return at_once, for_digest


def left_to_digest(said: Said, reason: str) -> Judgement:
    """What becomes of what is not told at once, and why."""
    ending = DIGEST_TELLS if _is_wanted(said.due.person) else NO_DIGEST
    return Judgement(Outcome.FOLDED, reason + ending, for_digest=True)


def _is_wanted(person: Person | None) -> bool:
    return person is None or person.digest is not Digests.OFF
