from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.adapters.fcm_answers import outcome_of
from notifications.adapters.retry_after import retry_after
from notifications.types import Outcome, Verdict

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


def error(status: int, word: str, *details: dict[str, object], message: str = "") -> Outcome:
    body = {"error": {"code": status, "status": word, "message": message, "details": details}}
    return outcome_of(status, msgspec.json.encode(body), {}, now=NOW)


def test_only_fcm_itself_can_say_that_a_token_is_gone() -> None:
    """A 404 without FcmError is a wrong project, and must cost no device its token."""
    gone = error(404, "NOT_FOUND", {"@type": FCM_ERROR, "errorCode": "UNREGISTERED"})

    assert gone.verdict is Verdict.TOKEN_GONE
    assert error(404, "NOT_FOUND").verdict is Verdict.MISCONFIGURED
    impostor = {"@type": "type.googleapis.com/other", "errorCode": "UNREGISTERED"}
    assert error(404, "NOT_FOUND", impostor).verdict is Verdict.MISCONFIGURED


def test_the_older_word_for_a_missing_apns_key_is_understood() -> None:
    old = error(401, "UNAUTHENTICATED", {"@type": FCM_ERROR, "errorCode": "APNS_AUTH_ERROR"})

    assert old == Outcome(Verdict.MISCONFIGURED, "APNS_AUTH_ERROR")


def test_an_argument_is_the_addresss_fault_only_when_fcm_names_the_address() -> None:
    violation = {"fieldViolations": [{"field": "message.android.ttl"}]}

    ttl = error(400, "INVALID_ARGUMENT", violation)
    text = error(400, "INVALID_ARGUMENT", message="The token is not a valid FCM registration token")

    assert ttl.verdict is Verdict.REJECTED
    assert text.verdict is Verdict.TOKEN_SUSPECT


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (302, Verdict.REJECTED),
        (408, Verdict.FAILED),
        (413, Verdict.REJECTED),
        (418, Verdict.REJECTED),
        (500, Verdict.FAILED),
        (599, Verdict.FAILED),
    ],
)
def test_an_answer_nobody_foresaw_is_read_by_its_status(status: int, verdict: Verdict) -> None:
    assert outcome_of(status, b"<html>", {}, now=NOW).verdict is verdict


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 01 Mar 2026 08:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("١٢", None),
    ],
)
def test_retry_after_in_every_form(header: str, seconds: float | None) -> None:
    assert retry_after(header, now=NOW) == seconds


@given(
    status=st.integers(200, 599),
    body=st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.text() | st.integers(-(2**60), 2**60),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(
                        ["error", "details", "@type", "errorCode", "violations", "status", "name"]
                    ),
                    inner,
                )
            ),
        ).map(msgspec.json.encode),
    ),
    header=st.text(),
)
def test_no_answer_is_too_odd_to_have_an_outcome(status: int, body: bytes, header: str) -> None:
    outcome = outcome_of(status, body, {"retry-after": header}, now=NOW)

    assert (outcome.verdict is Verdict.ACCEPTED) == (status == 200)
    assert outcome.verdict is not Verdict.TOKEN_GONE
