"""What is told in the next digest instead of at once. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from reminders.firing import PAYMENTS, FiringClass, Outcome
from reminders.person import Digests
from reminders.saying import Said

MATTERS_LITTLE = "not worth a push; the next digest tells it"
TOO_LATE = "too late for a push of its own; the next digest tells it"


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
        wanted = person is None or person.digest is not Digests.OFF
        expired = firing.firing_class in PAYMENTS and firing.useful_until <= now
        alone = each.outcome is Outcome.FOLDED and late[firing.user_id] == 1
        if firing.firing_class is FiringClass.POLICY_LOW:
            for_digest.append((each, MATTERS_LITTLE))
        elif wanted and (alone or expired):
            for_digest.append((each, TOO_LATE))
        else:
            at_once.append(each)
    return at_once, for_digest
