"""When a provider that fails is left alone, and when it is trusted again."""

import pytest

from kernel.notices import Urgency
from notifications.breaker import Hold
from notifications.gate import Gate
from notifications.health import (
    CHAT_FIRST,
    FIRST_REST,
    LONGEST_REST,
    PROBE_WITHIN,
    PROBES,
    SAMPLES,
    WINDOW,
    Health,
)
from notifications.types import Outcome, Route, Verdict
from tests.support.factories_notifications import held

ACCEPTED, FAILED = Verdict.ACCEPTED, Verdict.FAILED


@pytest.fixture
def health():
    return Health()


def record(health, *verdicts, now=0.0):
    for each in verdicts:
        health.record(each, now=now)


def allow(health, *, now, wanted=50, urgency=Urgency.INTERACTIVE):
    return health.allow(wanted, urgency=urgency, now=now)


@pytest.mark.parametrize("verdict", [FAILED, Verdict.AMBIGUOUS])
def test_half_of_twenty_answers_failing_begins_a_rest(health, verdict):
    record(health, *[ACCEPTED] * (SAMPLES // 2), *[verdict] * (SAMPLES // 2 - 1))
    assert allow(health, now=1.0) == 50

    record(health, verdict)

    assert health.is_resting
    assert allow(health, now=FIRST_REST - 0.1) == 0


@pytest.mark.parametrize(
    "verdict", [Verdict.THROTTLED, Verdict.REJECTED, Verdict.MISCONFIGURED, Verdict.NOT_SENT]
)
def test_answers_that_are_not_the_providers_failure_begin_none(health, verdict):
    record(health, *[verdict] * 10 * SAMPLES)

    assert not health.is_resting


def test_one_answer_in_twenty_failing_begins_none(health):
    for second in range(200):
        record(health, *[ACCEPTED] * 19, FAILED, now=float(second))

    assert not health.is_resting


def test_what_happened_long_ago_counts_no_more(health):
    record(health, *[FAILED] * (SAMPLES - 1))

    record(health, *[ACCEPTED] * SAMPLES, FAILED, now=WINDOW + 1)

    assert not health.is_resting


def test_after_a_rest_three_chat_pushes_find_out(health):
    record(health, *[FAILED] * SAMPLES)

    assert allow(health, now=FIRST_REST, urgency=Urgency.MARKETING) == 0
    assert allow(health, now=FIRST_REST) == PROBES
    assert allow(health, now=FIRST_REST) == 0
    record(health, *[ACCEPTED] * PROBES, now=FIRST_REST + 1)
    assert allow(health, now=FIRST_REST + 1, urgency=Urgency.MARKETING) == 50


def test_without_chat_others_find_out(health):
    record(health, *[FAILED] * SAMPLES)

    assert allow(health, now=FIRST_REST + CHAT_FIRST, urgency=Urgency.MARKETING) == PROBES


@pytest.mark.parametrize("verdict", [FAILED, Verdict.AMBIGUOUS, Verdict.NOT_SENT])
def test_a_probe_that_fails_doubles_the_rest_up_to_five_minutes(health, verdict):
    record(health, *[FAILED] * SAMPLES)
    now, rests = FIRST_REST, []
    for _ in range(5):
        allow(health, now=now)
        record(health, ACCEPTED, verdict, now=now)
        rest = next(after for after in range(1000) if allow(health, now=now + after))
        health.give_back(PROBES)
        rests.append(rest)
        now += rest

    assert rests == [60, 120, 240, LONGEST_REST, LONGEST_REST]


def test_what_was_under_way_when_the_rest_began_changes_nothing(health):
    record(health, *[FAILED] * SAMPLES)

    record(health, *[ACCEPTED] * 100, *[FAILED] * 100, now=FIRST_REST - 1)

    assert allow(health, now=FIRST_REST) == PROBES


def test_a_probe_that_found_nothing_to_send_is_left_to_another_lane(health):
    record(health, *[FAILED] * SAMPLES)
    allow(health, now=FIRST_REST)

    health.give_back(2)

    assert allow(health, now=FIRST_REST) == 2


def test_a_probe_that_was_lost_is_made_good(health):
    record(health, *[FAILED] * SAMPLES)
    allow(health, now=FIRST_REST)

    assert allow(health, now=FIRST_REST + PROBE_WITHIN) == PROBES


def test_a_gate_says_that_its_provider_fails_and_takes_no_token_for_it():
    gate = Gate(Route.FCM, per_second=100.0, probe_every=30.0)
    for _ in range(SAMPLES):
        gate.learn(held(), Outcome(FAILED), now=0.0)

    assert gate.hold is Hold.FAILING
    assert gate.allow(10, urgency=Urgency.INTERACTIVE, now=1.0) == 0
    assert gate.again_in(now=1.0) is None
    assert gate.allow(10, urgency=Urgency.INTERACTIVE, now=FIRST_REST) == PROBES
