"""Tokens of actions: who has one was sent the reminder."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import UserId
from notifications.reports.signing import ReportSigner
from reminders.action import ActionGrant, ActionSigner

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
GRANT = ActionGrant(
    firing=bytes(range(16)),
    user_id=UserId("أمينة"),
    event_id=uuid.UUID(int=1),
    task_id=uuid.UUID(int=2),
    day=date(2026, 3, 10),
    issued_at=NOW,
    expires_at=NOW + timedelta(days=7),
)
OLD, NEW = "old:secret", "new:secret"


def test_a_token_says_what_was_signed_and_fits_into_a_push():
    token = ActionSigner([NEW]).token(replace(GRANT, user_id=UserId("u" * 128)))

    assert ActionSigner([NEW]).grant(ActionSigner([NEW]).token(GRANT)) == GRANT
    assert len(token) <= 320


def test_keys_rotate_the_first_signs_and_any_is_trusted():
    before = ActionSigner([OLD]).token(GRANT)

    assert ActionSigner([NEW, OLD]).grant(before) == GRANT
    assert ActionSigner([NEW, OLD]).token(GRANT) == ActionSigner([NEW]).token(GRANT)
    assert ActionSigner([NEW]).grant(before) is None


def test_without_a_key_nothing_is_signed_or_trusted():
    assert ActionSigner().token(GRANT) == ""
    assert ActionSigner().grant(ActionSigner([NEW]).token(GRANT)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"firing": bytes(16)},
        {"user_id": UserId("karim")},
        {"event_id": uuid.UUID(int=9)},
        {"task_id": uuid.UUID(int=9)},
        {"day": date(2026, 3, 11)},
        {"expires_at": NOW + timedelta(days=8)},
    ],
)
def test_another_persons_task_occurrence_or_time_has_another_token(changed):
    assert ActionSigner([NEW]).token(replace(GRANT, **changed)) != ActionSigner([NEW]).token(GRANT)


@given(st.text(max_size=400))
def test_no_text_is_a_token_that_was_not_signed(text):
    assert ActionSigner([NEW]).grant(text) is None


@given(st.integers(0, 110), st.integers(1, 63))
def test_a_token_that_was_tampered_with_proves_nothing(place, by):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = ActionSigner([NEW]).token(GRANT)
    place %= len(token) - 1
    other = alphabet[(alphabet.index(token[place]) + by) % 64]

    assert ActionSigner([NEW]).grant(token[:place] + other + token[place + 1 :]) is None


def test_what_proves_a_push_was_received_is_no_token_of_an_action():
    assert ActionSigner([NEW]).grant(ReportSigner([NEW]).signed(uuid.uuid4())) is None
