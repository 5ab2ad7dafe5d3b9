"""What stands against whom, and until when."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import UserId
from messaging.standing.restrictions import (
    Proof,
    Restriction,
    RestrictionKind,
    Restrictions,
    proof_of,
)
from tests.support.clock import START
from tests.support.factories_messaging import AMINA, KARIM

HOUR = timedelta(hours=1)
USER, TOKEN, TOKENS = RestrictionKind


def holding(*restrictions: Restriction) -> Restrictions:
    made = Restrictions()
    for each in restrictions:
        made.put(each, now=START)
    return made


def block(**more: object) -> Restriction:
    return Restriction(USER, AMINA, START, **more)


def issued_before(instant=START, **more: object) -> Restriction:
    return Restriction(TOKENS, AMINA, START, issued_before=instant, **more)


def test_against_most_nothing_stands():
    assert holding().against(Proof(AMINA), now=START) is None
    assert holding(block()).against(Proof(KARIM), now=START) is None


def test_a_blocked_user_is_refused_whatever_they_show():
    assert holding(block()).against(Proof(AMINA, "new", START + HOUR), now=START) == block()


def test_a_block_ends_by_itself():
    until = block(ends_at=START + HOUR)

    assert holding(until).against(Proof(AMINA), now=START + HOUR - timedelta(seconds=1)) == until
    assert holding(until).against(Proof(AMINA), now=START + HOUR) is None


def test_a_revoked_token_is_refused_and_no_other():
    revoked = Restriction(TOKEN, "jti-1", START)

    assert holding(revoked).against(Proof(AMINA, "jti-1"), now=START) == revoked
    assert holding(revoked).against(Proof(AMINA, "jti-2"), now=START) is None
    assert holding(revoked).against(Proof(AMINA), now=START) is None


def test_tokens_issued_before_an_instant_are_refused():
    old = Proof(AMINA, issued_at=START - HOUR)

    assert holding(issued_before()).against(old, now=START) == issued_before()
    assert holding(issued_before()).against(Proof(AMINA, issued_at=START), now=START) is None
    assert holding(issued_before()).against(Proof(KARIM, issued_at=START - HOUR), now=START) is None


def test_a_token_that_does_not_say_when_it_was_issued_may_be_old():
    assert holding(issued_before()).against(Proof(AMINA), now=START) == issued_before()


def test_what_is_about_a_channel_concerns_subscription_tokens_of_it_only():
    held = holding(issued_before(channel="news"))
    old = START - HOUR

    assert held.against(Proof(AMINA, issued_at=old, channel="news"), now=START) is not None
    assert held.against(Proof(AMINA, issued_at=old, channel="sport"), now=START) is None
    assert held.against(Proof(AMINA, issued_at=old), now=START) is None


def test_what_is_about_all_tokens_concerns_subscription_tokens_too():
    old = Proof(AMINA, issued_at=START - HOUR, channel="news")

    assert holding(issued_before()).against(old, now=START) == issued_before()


@pytest.mark.parametrize("given", [block(), issued_before(), Restriction(TOKEN, "jti-1", START)])
def test_what_is_lifted_stands_no_longer(given):
    held = holding(given)
    held.put(
        Restriction(
            given.kind,
            given.subject,
            START,
            ends_at=START + HOUR,
            issued_before=given.issued_before,
        ),
        now=START + HOUR,
    )

    assert held.against(Proof(AMINA, "jti-1"), now=START + HOUR) is None
    assert len(held) == 0


@pytest.mark.parametrize("given", [block(), issued_before(), Restriction(TOKEN, "jti-1", START)])
def test_what_is_held_already_changes_nothing(given):
    ended = Restriction(given.kind, given.subject, START, ends_at=START)

    assert holding(given).holds(given, now=START)
    assert not holding().holds(given, now=START)
    assert not holding(given).holds(ended, now=START)
    assert holding().holds(ended, now=START)


def test_what_ended_is_let_go_of():
    held = holding(
        block(ends_at=START + HOUR),
        Restriction(TOKEN, "jti-1", START, ends_at=START + HOUR),
        issued_before(ends_at=START + HOUR),
        issued_before(channel="news", ends_at=START + 2 * HOUR),
        Restriction(TOKENS, KARIM, START, issued_before=START, ends_at=START + HOUR),
        Restriction(USER, KARIM, START),
    )
    assert len(held) == 6

    held.forget_ended(START + HOUR)

    assert len(held) == 2


@pytest.mark.parametrize(
    ("claims", "proof"),
    [
        ({}, Proof(AMINA)),
        ({"jti": "a", "iat": START.timestamp()}, Proof(AMINA, "a", START)),
        ({"jti": 7, "iat": "soon"}, Proof(AMINA)),
        ({"iat": 1e300}, Proof(AMINA)),
        ({"iat": float("nan")}, Proof(AMINA)),
    ],
)
def test_a_proof_is_what_the_claims_say_of_it(claims, proof):
    assert proof_of(AMINA, claims) == proof


# --- whatever happens -----------------------------------------------------------------------------

MOMENTS = st.integers(0, 6).map(lambda hours: START + hours * HOUR)
WORDS = st.sampled_from(["a", "b"])


@st.composite
def restrictions(draw: st.DrawFn) -> Restriction:
    kind = draw(st.sampled_from(RestrictionKind))
    return Restriction(
        kind,
        draw(WORDS),
        START,
        ends_at=draw(st.none() | MOMENTS),
        channel=draw(st.sampled_from(["", "x", "y"])) if kind is TOKENS else "",
        issued_before=draw(MOMENTS) if kind is TOKENS else None,
    )


PROOFS = st.builds(
    Proof,
    user_id=WORDS.map(UserId),
    token_id=st.sampled_from(["", "a", "b"]),
    issued_at=st.none() | MOMENTS,
    channel=st.sampled_from(["", "x"]),
)


def stands(restriction: Restriction, proof: Proof, now: datetime) -> bool:
    """The rule, said once more and without any table."""
    if restriction.ended(now):
        return False
    if restriction.kind is USER:
        return restriction.subject == proof.user_id
    if restriction.kind is TOKEN:
        return restriction.subject == proof.token_id
    concerned = restriction.subject == proof.user_id
    here = restriction.channel in ("", proof.channel)
    old = proof.issued_at is None or proof.issued_at < restriction.issued_before
    return concerned and here and old


@given(st.lists(st.tuples(restrictions(), MOMENTS), max_size=12), PROOFS, MOMENTS)
def test_what_stands_is_what_was_put_last_and_has_not_ended(put, proof, later):
    put.sort(key=lambda each: each[1])
    held, last = Restrictions(), {}
    for restriction, now in put:
        held.put(restriction, now=now)
        last[restriction.kind, restriction.subject, restriction.channel] = restriction
        held.forget_ended(now)
    now = max([later, *(now for _, now in put)])

    found = held.against(proof, now=now)

    standing = [each for each in last.values() if stands(each, proof, now)]
    assert (found is None) is (not standing)
    assert found is None or found in standing
    assert all(held.holds(each, now=now) for each in standing)
