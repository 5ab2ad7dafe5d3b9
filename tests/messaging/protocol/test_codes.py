"""The numbers, and what clients make of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.protocol.codes import (
    DisconnectCode,
    ErrorCode,
    ProtocolViolation,
    UnsubscribeCode,
    close_reason,
    reconnects,
)
from messaging.protocol.results import Error


def test_only_errors_that_pass_are_temporary():
    temporary = {code for code in ErrorCode if code.temporary}

    assert temporary == {ErrorCode.INTERNAL, ErrorCode.TOO_MANY_REQUESTS}


def test_a_code_is_found_by_its_number():
    assert ErrorCode(109) is ErrorCode.TOKEN_EXPIRED
    assert DisconnectCode(3012).reason == "no pong"
    assert UnsubscribeCode(2500).reason == "insufficient state"


def test_an_error_speaks_in_the_words_of_its_code_unless_given_better_ones():
    assert Error.of(ErrorCode.TOO_MANY_REQUESTS) == Error(111, "too many requests", temporary=True)
    assert Error.of(ErrorCode.BAD_REQUEST, "no text") == Error(107, "no text")


@pytest.mark.parametrize(
    ("code", "comes_back"),
    [
        (1000, True),
        (1006, True),
        (1009, False),
        (3000, True),
        (3499, True),
        (3500, False),
        (3999, False),
        (4000, True),
        (4499, True),
        (4500, False),
        (4999, False),
        (5000, True),
    ],
)
def test_clients_come_back_after_some_close_codes_only(code, comes_back):
    assert reconnects(code) is comes_back


def test_disconnect_codes_from_3500_on_are_final():
    assert {code for code in DisconnectCode if not code.reconnect} == {
        code for code in DisconnectCode if code >= 3500
    }


def test_clients_subscribe_again_from_2500_on():
    assert not UnsubscribeCode.SERVER.resubscribes
    assert UnsubscribeCode.INSUFFICIENT_STATE.resubscribes


def test_a_violation_carries_what_the_close_frame_needs():
    violation = ProtocolViolation(DisconnectCode.STALE)

    assert (violation.code, violation.reason) == (3502, "stale")
    assert str(ProtocolViolation(DisconnectCode.BAD_REQUEST, "why")) == "why (3501)"


@pytest.mark.parametrize(
    "text", ["123", "null", "true", '"x"', "{}", '{"reason":"x"}', " 1 ", "NaN"]
)
def test_a_reason_never_reads_as_json(text):
    """H7: clients would take it for the advice of an older protocol."""
    assert close_reason(text) == f"{text}."


def test_a_reason_that_becomes_json_when_it_is_cut_is_no_json_either():
    assert close_reason("1" * 123 + "x") == "1" * 122 + "."


def test_there_is_always_a_reason():
    """JavaScript clients look at the code only when there is one."""
    assert close_reason("") == "disconnected"


def test_a_reason_is_cut_between_characters():
    assert close_reason("م" * 70) == "م" * 61


@given(st.text(st.characters()) | st.integers().map(str) | st.text().map(json.dumps))
def test_every_reason_fits_a_close_frame_and_is_no_json(text):
    reason = close_reason(text)

    assert 0 < len(reason.encode()) <= 123
    with pytest.raises(json.JSONDecodeError):
        json.loads(reason)
