"""When a route is held, and which addresses are given up."""

import pytest

from kernel.notices import Urgency
from notifications.breaker import Hold
from notifications.gate import Gate
from notifications.types import Outcome, Route, ThrottleScope, Verdict
from tests.support.factories_notifications import held

ACCEPTED, GONE, SUSPECT = Verdict.ACCEPTED, Verdict.TOKEN_GONE, Verdict.TOKEN_SUSPECT
MISCONFIGURED = Verdict.MISCONFIGURED


@pytest.fixture
def gate():
    return Gate(Route.FCM, per_second=1000.0, probe_every=30.0)


def learn(gate, *verdicts, now=0.0):
    """The addresses given up after these answers."""
    return [fault for each in verdicts for fault in gate.learn(held(), Outcome(each), now=now)]


def allow(gate, wanted=50, *, now=0.0):
    return gate.allow(wanted, urgency=Urgency.INTERACTIVE, now=now)


def test_five_configuration_faults_in_a_row_hold_the_route(gate):
    learn(gate, *[MISCONFIGURED] * 4, ACCEPTED, *[MISCONFIGURED] * 4)
    assert gate.hold is None
    assert allow(gate) == 50

    learn(gate, MISCONFIGURED)

    assert gate.hold is Hold.MISCONFIGURED
    assert allow(gate) == 0


def test_a_held_route_is_probed_now_and_then_and_released_by_an_answer(gate):
    learn(gate, *[MISCONFIGURED] * 5)

    assert [allow(gate, now=now) for now in (29.0, 30.0, 31.0, 60.0)] == [0, 1, 0, 1]
    learn(gate, MISCONFIGURED, now=60.0)
    assert gate.hold is Hold.MISCONFIGURED
    learn(gate, Verdict.REJECTED, now=90.0)
    assert gate.hold is None


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.NOT_SENT, Verdict.AMBIGUOUS])
def test_an_answer_that_proves_nothing_releases_nothing(gate, verdict):
    learn(gate, *[MISCONFIGURED] * 5, verdict)

    assert gate.hold is Hold.MISCONFIGURED


def test_a_probe_that_finds_nothing_to_send_is_left_to_another_lane(gate):
    learn(gate, *[MISCONFIGURED] * 5)
    assert allow(gate, now=30.0) == 1

    gate.give_back(1, now=30.0)

    assert allow(gate, now=30.0) == 1


def test_twenty_suspect_addresses_without_one_accepted_hold_the_route_and_cost_no_address(gate):
    assert learn(gate, *[SUSPECT] * 19) == []
    assert gate.hold is None

    assert learn(gate, SUSPECT) == []

    assert gate.hold is Hold.SUSPECT_TOKENS
    assert learn(gate, *[SUSPECT] * 5) == []


def test_a_fifth_of_two_hundred_suspect_holds_the_route(gate):
    lost = learn(gate, *[ACCEPTED] * 159, *[SUSPECT] * 41)

    assert gate.hold is Hold.SUSPECT_TOKENS
    assert lost == []


def test_a_key_that_was_replaced_by_a_wrong_one_costs_no_address(gate):
    learn(gate, *[ACCEPTED] * 200)

    assert learn(gate, *[SUSPECT] * 100) == []
    assert gate.hold is Hold.SUSPECT_TOKENS


def test_a_suspect_address_is_given_up_once_others_were_accepted_after_it(gate):
    assert learn(gate, SUSPECT, *[ACCEPTED] * 4) == []

    (fault,) = learn(gate, *[ACCEPTED] * 20)

    assert fault.generation == 1


def test_a_moment_in_which_all_were_suspect_costs_no_address(gate):
    """Too few to hold the route: by the time that others are accepted again nobody knows why."""
    learn(gate, *[ACCEPTED] * 40)

    assert learn(gate, *[SUSPECT] * 15, *[ACCEPTED] * 100) == []
    assert gate.hold is None
    assert len(learn(gate, SUSPECT, *[ACCEPTED] * 100)) == 1


def test_one_refusal_in_twenty_that_is_not_the_credentials_costs_no_speed(gate):
    """One device in twenty is asked too often, or is unlucky."""
    refused = Outcome(Verdict.THROTTLED, "QUOTA_EXCEEDED", scope=ThrottleScope.DEVICE)
    failed = Outcome(Verdict.FAILED, "UNAVAILABLE", retry_after=10.0)
    for number in range(4000):
        outcome = {0: refused, 20: failed}.get(number % 40, Outcome(ACCEPTED))
        gate.learn(held(), outcome, now=number / 1000)

    assert (gate.hold, gate.rate) == (None, 1000.0)


def test_only_an_accepted_push_releases_a_route_held_for_its_addresses(gate):
    learn(gate, *[SUSPECT] * 20)

    learn(gate, Verdict.REJECTED, GONE)
    assert gate.hold is Hold.SUSPECT_TOKENS
    assert learn(gate, ACCEPTED) == []
    assert gate.hold is None
    assert learn(gate, *[ACCEPTED] * 150) == []


def test_an_address_that_is_gone_needs_no_second_opinion(gate):
    (fault,) = learn(gate, GONE)
    assert len(learn(gate, *[GONE] * 100)) == 100
    assert gate.hold is None
    assert fault.device_id is not None


def test_throttling_of_the_credential_pauses_the_route_and_of_a_device_does_not(gate):
    device = Outcome(Verdict.THROTTLED, retry_after=60.0, scope=ThrottleScope.DEVICE)
    credential = Outcome(Verdict.THROTTLED, scope=ThrottleScope.CREDENTIAL)

    gate.learn(held(), device, now=0.0)
    assert allow(gate, 1, now=0.0) == 1
    gate.learn(held(), credential, now=0.0)
    assert allow(gate, 1, now=59.0) == 0
    assert allow(gate, 1, now=60.0) == 1


def test_a_credential_told_to_wait_for_ever_is_tried_again_within_the_hour(gate):
    for_ever = Outcome(Verdict.THROTTLED, retry_after=float("inf"), scope=ThrottleScope.CREDENTIAL)

    gate.learn(held(), for_ever, now=0.0)

    assert allow(gate, 1, now=3599.0) == 0
    assert allow(gate, 1, now=3601.0) == 1
