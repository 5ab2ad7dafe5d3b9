"""What becomes of a push after an attempt."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.notices import Urgency
from notifications.policy import ELSEWHERE, LEASE_ENDED, LONGEST_WAIT, PATIENCE, settlement_of
from notifications.pushes import FINAL, PushState
from notifications.types import UNSENT, Environment, Outcome, Route, Verdict
from tests.support.clock import START
from tests.support.factories_notifications import held

APNS = (Route.APNS, Route.APNS_SANDBOX)


def low(least, _most):
    return least


def high(_least, most):
    return most


def settle(push, verdict, *, after=0.0, dice=low, **more):
    now = push.started_at + timedelta(seconds=after)
    return settlement_of(push, Outcome(verdict, **more), now=now, dice=dice)


def wait_of(push, verdict, **more):
    settlement = settle(push, verdict, **more)
    assert settlement.state is PushState.RETRY
    return (settlement.due_at - push.started_at).total_seconds()


def patient(**changes):
    """A reminder with a day to live."""
    return held(urgency=Urgency.TRANSACTIONAL, expires_at=START + timedelta(days=1), **changes)


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.ACCEPTED, PushState.ACCEPTED),
        (Verdict.REJECTED, PushState.REJECTED),
        (Verdict.TOKEN_GONE, PushState.REJECTED),
        (Verdict.TOKEN_SUSPECT, PushState.REJECTED),
    ],
)
def test_a_final_answer_is_final_however_late(verdict, state):
    assert settle(held(), verdict).state is state
    assert settle(held(), verdict, after=86_400).state is state


@pytest.mark.parametrize(("dice", "wait"), [(low, 10.0), (high, 20.0)])
def test_fcm_is_left_alone_for_ten_seconds_after_its_first_failure(dice, wait):
    assert wait_of(held(), Verdict.FAILED, dice=dice) == wait


def test_later_waits_double_up_to_a_quarter_of_an_hour():
    waits = [wait_of(patient(number=n), Verdict.FAILED, dice=high) for n in range(1, 9)]

    assert waits == [20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 900.0, 900.0]


@pytest.mark.parametrize("route", APNS)
def test_apns_is_left_alone_for_a_quarter_of_an_hour_after_a_failure(route):
    assert wait_of(patient(route=route), Verdict.FAILED) == 900.0


@pytest.mark.parametrize("route", APNS)
def test_a_chat_push_that_apns_failed_is_given_up(route):
    assert settle(held(route=route), Verdict.FAILED).state is PushState.DEAD
    short = held(route=route, expires_at=START + timedelta(minutes=5))
    assert settle(short, Verdict.FAILED).state is PushState.EXPIRED


def test_retry_after_is_obeyed():
    assert wait_of(patient(), Verdict.THROTTLED, retry_after=7.0) == 7.0
    assert wait_of(patient(), Verdict.FAILED, retry_after=300.0) == 300.0


@pytest.mark.parametrize("route", list(Route))
def test_throttling_without_a_time_means_a_minute(route):
    assert wait_of(patient(route=route), Verdict.THROTTLED) == 60.0
    assert wait_of(patient(route=route, number=2), Verdict.THROTTLED) == 120.0


def test_what_never_left_is_sent_at_once_twice_and_then_waits():
    waits = [
        wait_of(patient(number=n + 1, unsent=n), Verdict.NOT_SENT, dice=high) for n in range(5)
    ]

    assert waits == [0.0, 0.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("urgency", [Urgency.INTERACTIVE, Urgency.TRANSACTIONAL])
def test_what_may_have_arrived_is_repeated_once(urgency):
    push = held(urgency=urgency)

    assert 10.0 <= wait_of(push, Verdict.AMBIGUOUS) <= 20.0
    again = replace(push, number=2, ambiguous=1)
    assert settle(again, Verdict.AMBIGUOUS).state is PushState.AMBIGUOUS


@pytest.mark.parametrize("urgency", [Urgency.INTERACTIVE, Urgency.TRANSACTIONAL])
def test_dispatchers_that_die_again_and_again_lose_no_push(urgency):
    push = held(urgency=urgency, number=4, ambiguous=3)

    assert settle(push, Verdict.AMBIGUOUS, reason=LEASE_ENDED).state is PushState.RETRY
    late = settle(push, Verdict.AMBIGUOUS, reason=LEASE_ENDED, after=3600)
    assert late.state is PushState.AMBIGUOUS


def test_a_campaign_push_whose_dispatcher_died_is_never_repeated():
    push = held(urgency=Urgency.MARKETING)

    settlement = settle(push, Verdict.AMBIGUOUS, reason=LEASE_ENDED)

    assert settlement.state is PushState.AMBIGUOUS


def test_a_campaign_push_that_may_have_arrived_is_never_repeated():
    push = held(urgency=Urgency.MARKETING)

    assert settle(push, Verdict.AMBIGUOUS).state is PushState.AMBIGUOUS


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.NOT_SENT, Verdict.THROTTLED])
def test_what_may_have_arrived_never_counts_as_dead_or_expired(verdict):
    push = held(number=3, ambiguous=1)
    late = replace(push, unsent=2, expires_at=START)

    assert settle(push, verdict, after=601).state is PushState.AMBIGUOUS
    assert settle(late, verdict).state is PushState.AMBIGUOUS


def test_a_chat_push_is_tried_three_times_at_most():
    assert settle(held(number=2), Verdict.FAILED).state is PushState.RETRY
    assert settle(held(number=3), Verdict.FAILED).state is PushState.DEAD
    unsent = held(number=3, unsent=1)
    assert settle(unsent, Verdict.FAILED).state is PushState.RETRY


def test_an_address_that_no_push_ever_reached_may_be_in_the_other_environment():
    fresh = held(route=Route.APNS)
    misplaced = {"verdict": Verdict.TOKEN_SUSPECT, "misplaced": True, "reason": "BadDeviceToken"}

    first = settle(fresh, **misplaced)
    assert (first.state, first.due_at) == (PushState.RETRY, fresh.started_at)
    assert first.outcome.reason == f"{ELSEWHERE}: BadDeviceToken"
    for push in (
        replace(fresh, accepted_at=START),
        replace(fresh, number=2),
        replace(fresh, number=2, elsewhere=Environment.SANDBOX),
    ):
        assert settle(push, **misplaced).state is PushState.REJECTED
    assert settle(fresh, Verdict.REJECTED, misplaced=True).state is PushState.REJECTED
    trying = replace(fresh, number=2, elsewhere=Environment.SANDBOX)
    assert settle(trying, Verdict.MISCONFIGURED).state is PushState.REJECTED


def test_what_the_provider_does_not_understand_itself_is_tried_once_more():
    assert settle(patient(number=1), Verdict.FAILED, tries=2).state is PushState.RETRY
    assert settle(patient(number=2), Verdict.FAILED, tries=2).state is PushState.DEAD
    assert settle(patient(number=2, unsent=1), Verdict.FAILED, tries=2).state is PushState.RETRY
    assert settle(patient(number=2), Verdict.FAILED).state is PushState.RETRY


@pytest.mark.parametrize(
    ("urgency", "minutes"),
    [(Urgency.INTERACTIVE, 10), (Urgency.TRANSACTIONAL, 60), (Urgency.MARKETING, 60)],
)
def test_each_class_has_its_patience(urgency, minutes):
    push = held(urgency=urgency, expires_at=START + timedelta(days=1))

    assert settle(push, Verdict.FAILED, after=minutes * 60 - 10).state is PushState.RETRY
    assert settle(push, Verdict.FAILED, after=minutes * 60 - 9).state is PushState.DEAD


def test_a_push_that_met_wrong_credentials_waits_as_long_as_it_matters():
    push = held(number=50, unsent=49, expires_at=START + timedelta(hours=2))

    assert wait_of(push, Verdict.MISCONFIGURED, after=6000.0) == 6060.0
    assert settle(push, Verdict.MISCONFIGURED, after=7140.0).state is PushState.EXPIRED


pushes = st.builds(
    held,
    number=st.integers(1, 10**6),
    route=st.sampled_from(Route),
    urgency=st.sampled_from(Urgency),
    unsent=st.integers(0, 10**6),
    ambiguous=st.integers(0, 3),
    expires_at=st.integers(-10, 10**6).map(lambda s: START + timedelta(seconds=s)),
)
outcomes = st.builds(
    Outcome,
    st.sampled_from(Verdict),
    retry_after=st.none() | st.floats(0, 10**6),
)


@given(pushes, outcomes, st.floats(0, 10**6))
def test_every_push_and_outcome_has_a_consequence(push, outcome, after):
    now = START + timedelta(seconds=after)

    settlement = settlement_of(push, outcome, now=now, dice=random.uniform)

    assert settlement.state in FINAL | {PushState.RETRY}
    assert (settlement.due_at is not None) == (settlement.state is PushState.RETRY)
    if settlement.due_at is not None:
        assert now <= settlement.due_at < push.expires_at
        wanted = min(outcome.retry_after or 0.0, LONGEST_WAIT)
        assert settlement.due_at >= now + timedelta(seconds=wanted)


@settings(max_examples=200)
@given(
    st.sampled_from(Urgency),
    st.sampled_from(Route),
    st.lists(outcomes, min_size=1, max_size=5),
    st.randoms(),
)
def test_whatever_a_provider_goes_on_answering_there_is_an_end(urgency, route, answers, dice):
    push = held(urgency=urgency, route=route, expires_at=START + timedelta(hours=24))
    now, tries = START, 0
    for turn in range(3000):
        outcome = answers[turn % len(answers)]
        tries += outcome.verdict not in UNSENT
        settlement = settlement_of(push, outcome, now=now, dice=dice.uniform)
        if settlement.due_at is None:
            break
        now = settlement.due_at
        push = replace(
            push,
            number=push.number + 1,
            unsent=push.unsent + (outcome.verdict in UNSENT),
            ambiguous=push.ambiguous + (outcome.verdict is Verdict.AMBIGUOUS),
        )
    else:
        raise AssertionError("it goes on for ever")
    assert settlement.state in FINAL
    most = PATIENCE[urgency].tries
    assert most is None or tries <= most


@pytest.mark.parametrize("seconds", [1e9, 1e300, float("inf")])
@pytest.mark.parametrize("verdict", [Verdict.THROTTLED, Verdict.FAILED, Verdict.NOT_SENT])
def test_a_wait_beyond_all_time_ends_the_push_and_breaks_nothing(verdict, seconds):
    assert settle(patient(), verdict, retry_after=seconds).state is PushState.EXPIRED
