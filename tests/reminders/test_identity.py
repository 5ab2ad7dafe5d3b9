"""What makes a firing this firing and no other."""

import uuid
from datetime import date, time

from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import UserId
from reminders.identity import ONCE, SHARDS, SOON, collapse_key, dedupe_key, shard_of
from reminders.types import Due

RULE = uuid.UUID("018f0000-0000-7000-8000-000000000001")
TASK = uuid.UUID("018f0000-0000-7000-8000-000000000002")
DUE = Due(date(2027, 7, 23))


def key(rule_id=RULE, user_id="amina", occurrence=ONCE, due=DUE, task_id=TASK):
    return dedupe_key(rule_id, task_id, UserId(user_id), occurrence=occurrence, due=due)


dues = st.one_of(
    st.builds(Due, st.dates()),
    st.builds(
        Due,
        st.dates(),
        st.times().map(lambda at: at.replace(second=0, microsecond=0)),
        st.sampled_from(["Africa/Algiers", "Europe/Paris"]),
    ),
)


def test_an_identity_never_changes_from_release_to_release():
    """Stored keys are compared with computed ones: this value may not move, ever."""
    assert key(RULE, "amina", ONCE, DUE).hex() == "26ca14d9a3f498ef25e331ac5da2d078"


@given(dues, dues)
def test_the_same_rule_and_user_differ_exactly_when_what_was_meant_differs(one, other):
    keys = [key(RULE, "amina", ONCE, due) for due in (one, other)]

    assert (keys[0] == keys[1]) == (one == other)


def test_another_rule_task_user_or_occurrence_is_another_firing():
    keys = {
        key(RULE, "amina", ONCE, DUE),
        key(uuid.UUID(int=2), "amina", ONCE, DUE),
        key(RULE, "bilal", ONCE, DUE),
        key(task_id=uuid.UUID(int=3)),
        key(RULE, "amina", SOON, DUE),
        key(RULE, "amina", ONCE, Due(date(2027, 7, 23), time(9), "UTC")),
    }

    assert len(keys) == 6


def test_a_collapse_key_is_short_printable_and_different_for_each_firing():
    short = collapse_key(key(RULE, "amina", ONCE, DUE))

    assert len(short) == 26
    assert short.isalnum()
    assert short != collapse_key(key(RULE, "bilal", ONCE, DUE))


def test_users_spread_evenly_over_the_shards():
    counts = [0] * SHARDS
    for number in range(3200):
        counts[shard_of(UserId(f"user-{number}"))] += 1

    assert min(counts) > 50
    assert max(counts) < 150
