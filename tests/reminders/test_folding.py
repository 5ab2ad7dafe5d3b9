"""What is told in the next digest instead of at once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.notices import Notice, Urgency
from reminders.firing import DueFiring, FiringClass, Outcome
from reminders.folding import TOO_LATE, parted
from reminders.person import Digests
from reminders.saying import Said
from tests.support.clock import START
from tests.support.factories_firings import firing
from tests.support.factories_reminders import AMINA, HOUR, event, person, rule, task

WEDDING = event()
JOB = task(WEDDING)
NOTICE = Notice(
    user_ids=(AMINA,),
    template="task.reminder",
    category="reminders",
    urgency=Urgency.TRANSACTIONAL,
    dedupe_key="reminder",
    expires_at=START,
)


def late(kind=FiringClass.POLICY_FAR, *, digest=Digests.DAILY, useful=HOUR):
    """Amina's reminder, later than its grace, and of use for so long still."""
    given = firing(
        WEDDING,
        JOB.id,
        rule(WEDDING).id,
        AMINA,
        START - 5 * HOUR,
        firing_class=kind,
        useful_until=START + useful,
    )
    who = replace(person(AMINA), digest=digest)
    return Said(DueFiring(given, WEDDING, JOB, who, standing=True), Outcome.FOLDED, NOTICE)


def test_one_that_is_late_waits_for_the_digest_and_several_are_told_in_one():
    one, other = late(), late(FiringClass.NAG)

    assert parted([one], now=START) == ([], [(one, TOO_LATE)])
    assert parted([one, other], now=START) == ([one, other], [])


@pytest.mark.parametrize("kind", [FiringClass.PAYMENT, FiringClass.PAYMENT_LATE])
def test_a_payment_that_is_past_its_use_waits_for_the_digest_also_among_others(kind):
    other, owed = late(), late(kind, useful=timedelta(0))

    assert parted([other, owed], now=START) == ([other], [(owed, TOO_LATE)])


def test_who_wants_no_digest_is_told_all_the_same():
    one = late(digest=Digests.OFF)
    owed = late(FiringClass.PAYMENT, digest=Digests.OFF, useful=timedelta(0))

    assert parted([one], now=START) == ([one], [])
    assert parted([owed], now=START) == ([owed], [])
