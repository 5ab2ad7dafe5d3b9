"""What tokens say about channels, and what they say that makes no sense."""

import base64
from datetime import timedelta
from typing import Any

import jwt
import pytest

from kernel.adapters.jwt import JwtVerifier
from kernel.errors import TokenExpired, Unauthenticated
from messaging.channels.grants import Flag, Override
from messaging.tokens import ServerSubscription, server_subscriptions, subscription_token
from tests.support.clock import ManualClock
from tests.support.tokens import SECRET, TOKEN_OPTIONS


def signed(secret: str = SECRET, **claims: Any) -> str:
    return jwt.encode(claims, secret, "HS256")


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def verifier(clock: ManualClock) -> JwtVerifier:
    return JwtVerifier(TOKEN_OPTIONS, clock)


async def test_a_subscription_token_says_for_whom_and_for_what(verifier):
    text = signed(
        sub="amina",
        channel="hall:1",
        client="a-client",
        info={"seat": 12},
        data=["salam"],
        override={"presence": {"value": True}, "force_recovery": {"value": False}},
    )

    token = await subscription_token(verifier, text)

    assert (token.user_id, token.channel, token.client) == ("amina", "hall:1", "a-client")
    assert (token.info, token.data) == (b'{"seat":12}', b'["salam"]')
    assert token.override == Override(presence=Flag(True), force_recovery=Flag(False))
    assert token.expires_at is None


async def test_info_and_data_may_come_in_base_64_and_then_win(verifier):
    text = signed(
        channel="hall:1", info=1, b64info=in_base64('"ضيف"'), data=2, b64data=in_base64("[]")
    )

    token = await subscription_token(verifier, text)

    assert (token.info, token.data) == ('"ضيف"'.encode(), b"[]")


async def test_what_is_null_is_not_said(verifier):
    text = signed(channel="hall:1", info=None, data=None, override=None)

    token = await subscription_token(verifier, text)

    assert (token.user_id, token.info, token.data, token.override) == ("", b"", b"", None)


@pytest.mark.parametrize(
    ("claims", "ends_in"),
    [({"exp": 60}, 60), ({"exp": 60, "expire_at": 30}, 30), ({"exp": 60, "expire_at": 0}, None)],
)
async def test_a_subscription_ends_with_its_token_unless_that_says_otherwise(
    verifier, clock, claims, ends_in
):
    now = clock.now().timestamp()
    instants = {name: int(now + seconds) if seconds else 0 for name, seconds in claims.items()}

    token = await subscription_token(verifier, signed(channel="hall:1", **instants))

    expected = None if ends_in is None else clock.now() + timedelta(seconds=ends_in)
    assert token.expires_at == expected


async def test_a_token_that_was_good_once_is_told_from_one_that_never_was(verifier, clock):
    old = int(clock.now().timestamp()) - 3600

    with pytest.raises(TokenExpired):
        await subscription_token(verifier, signed(channel="hall:1", exp=old))
    with pytest.raises(Unauthenticated) as caught:
        await subscription_token(verifier, signed("another " + SECRET, channel="hall:1", exp=old))
    assert not isinstance(caught.value, TokenExpired)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"channel": ""},
        {"channel": 7},
        {"channel": None},
        {"channel": "hall:1", "sub": 7},
        {"channel": "hall:1", "client": ["a"]},
        {"channel": "hall:1", "b64info": "not base 64!"},
        {"channel": "hall:1", "b64info": in_base64("no json")},
        {"channel": "hall:1", "b64data": base64.b64encode(b'"\xff"').decode()},
        {"channel": "hall:1", "b64data": 7},
        {"channel": "hall:1", "override": True},
        {"channel": "hall:1", "override": {"presence": True}},
        {"channel": "hall:1", "override": {"presence": {"value": "yes"}}},
        {"channel": "hall:1", "override": {"presence": {"valeu": True}}},
    ],
)
async def test_a_subscription_token_whose_claims_make_no_sense_is_none(verifier, claims):
    with pytest.raises(Unauthenticated):
        await subscription_token(verifier, signed(**claims))


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, {}),
        ({"channels": None, "subs": None}, {}),
        ({"channels": ["a", "b"]}, {"a": ServerSubscription(), "b": ServerSubscription()}),
        ({"subs": {"a": {}, "b": None}}, {"a": ServerSubscription(), "b": ServerSubscription()}),
        (
            {"channels": ["a"], "subs": {"a": {"info": 1, "b64data": in_base64("2")}}},
            {"a": ServerSubscription(b"1", b"2")},
        ),
        (
            {"subs": {"a": {"override": {"join_leave": {"value": True}}, "of_tomorrow": 1}}},
            {"a": ServerSubscription(override=Override(join_leave=Flag(True)))},
        ),
    ],
)
async def test_an_access_token_says_what_its_connection_is_subscribed_to(
    verifier, claims, expected
):
    principal = await verifier.verify(signed(sub="amina", **claims))

    assert server_subscriptions(principal) == expected


@pytest.mark.parametrize(
    "claims",
    [
        {"channels": "a"},
        {"channels": [1]},
        {"channels": {"a": {}}},
        {"subs": ["a"]},
        {"subs": {"a": "b"}},
        {"subs": {"a": {"b64info": "!"}}},
        {"subs": {"a": {"override": {"presence": 1}}}},
    ],
)
async def test_an_access_token_whose_subscriptions_make_no_sense_is_refused(verifier, claims):
    principal = await verifier.verify(signed(sub="amina", **claims))

    with pytest.raises(Unauthenticated):
        server_subscriptions(principal)
