"""What the official clients make of it when somebody is put out: some come back, some do not."""

from collections.abc import AsyncIterator

import pytest

from kernel.adapters.database import Database
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.connections.rates import Bucket, RateOptions
from tests.conformance.conftest import Make
from tests.conformance.events import ClientError
from tests.support.standing import OPERATOR, Guarded, guarding

pytestmark = [pytest.mark.external]


@pytest.fixture
async def guarded(sqlite_database: Database) -> AsyncIterator[Guarded]:
    more = {
        "channel_settings": ChannelSettings(namespaces={"news": ChannelOptions()}),
        "rate_options": RateOptions(
            connection={"presence": (Bucket(1, 600.0),), "subscribe": (Bucket(1, 1.0),)}
        ),
    }
    async with guarding(Guarded(sqlite_database, more=more)) as running:
        yield running


async def test_a_client_whose_token_was_revoked_comes_back_with_another(
    make: Make, guarded: Guarded, ami: str
) -> None:
    token = guarded.node.token
    client = await make(guarded.node.url, token(ami, jti="one"), token(ami, jti="two"))
    await client.event("connected")

    await guarded.sanctions.revoke("one", expires_at=None, by=OPERATOR)

    await client.event("connecting", code=3014)
    await client.event("connected")
    assert not client.count("disconnected")


async def test_a_client_that_begins_with_a_revoked_token_asks_for_another(
    make: Make, guarded: Guarded, ami: str
) -> None:
    token = guarded.node.token
    await guarded.sanctions.revoke("one", expires_at=None, by=OPERATOR)

    client = await make(guarded.node.url, token(ami, jti="one"), token(ami, jti="two"))

    await client.event("connected")


async def test_a_client_that_gets_no_other_token_is_out(
    make: Make, guarded: Guarded, ami: str
) -> None:
    client = await make(guarded.node.url, guarded.node.token(ami, jti="one"), None)
    await client.event("connected")

    await guarded.sanctions.revoke("one", expires_at=None, by=OPERATOR)

    await client.event("disconnected")


async def test_a_blocked_user_is_out_and_does_not_come_back(
    make: Make, guarded: Guarded, ami: str
) -> None:
    client = await make(guarded.node.url, guarded.node.token(ami))
    await client.event("connected")

    await guarded.sanctions.block(ami, until=None, reason="", by=OPERATOR)
    await client.event("disconnected", code=3507)

    again = await make(guarded.node.url, guarded.node.token(ami))
    await again.event("disconnected", code=3507)
    assert not again.count("connected")


async def test_a_subscription_whose_token_was_revoked_goes_on_with_another(
    make: Make, guarded: Guarded, ami: str
) -> None:
    client = await make(guarded.node.url, guarded.node.token(ami))
    tokens = [guarded.node.token(ami, channel="news:1", jti=each) for each in ("s1", "s2")]
    await client.do("subscribe", channel="news:1", tokens=tokens)
    await client.event("subscribed")

    await guarded.sanctions.revoke("s1", expires_at=None, by=OPERATOR)

    await client.event("subscribing", code=2502)
    await client.event("subscribed")


async def test_a_subscription_beyond_the_rate_comes_a_little_later(
    make: Make, guarded: Guarded, ami: str
) -> None:
    client = await make(guarded.node.url, guarded.node.token(ami))
    for number in ("1", "2"):
        token = guarded.node.token(ami, channel=f"news:{number}")
        await client.do("subscribe", channel=f"news:{number}", tokens=[token])

    await client.event("subscribed")
    await client.event("subscribed")
    assert not client.count("unsubscribed")
    assert guarded.node.metric("messaging_rate_refusals_total", of="connection") > 0


async def test_a_call_beyond_the_rate_fails_with_the_code_for_it(
    make: Make, guarded: Guarded, ami: str
) -> None:
    client = await make(guarded.node.url, guarded.node.token(ami))
    await client.event("connected")

    codes = []
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            await client.do("presence", channel="news:1")
        codes.append(refused.value.code)

    assert codes[1] == 111
