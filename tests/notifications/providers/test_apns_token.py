from collections.abc import Callable
from dataclasses import replace

import jwt
import pytest

from notifications.adapters.apns import ApnsProvider
from notifications.adapters.apns_token import ProviderToken
from notifications.sandbox.credentials import Files
from notifications.sandbox.faults import Fault
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Verdict
from tests.support.clock import ManualClock
from tests.support.sandbox import apns_options as options_for
from tests.support.sandbox import attempt, open_apns


@pytest.fixture
def token(credentials: Files, clock: ManualClock) -> ProviderToken:
    return ProviderToken(
        key=credentials.apns_key.read_text(),
        key_id=credentials.key_id,
        team_id=credentials.team_id,
        clock=clock,
    )


@pytest.fixture
def passing(clock: ManualClock) -> Callable[[float], None]:
    return lambda minutes: clock.move(minutes=minutes)


def test_a_token_says_key_team_and_time_and_is_signed_with_es256(
    token: ProviderToken, credentials: Files, clock: ManualClock
) -> None:
    scheme, _, signed = token.get_header().partition(" ")

    assert scheme == "bearer"
    assert jwt.get_unverified_header(signed) == {
        "alg": "ES256",
        "kid": credentials.key_id,
        "typ": "JWT",
    }
    claims = jwt.decode(signed, options={"verify_signature": False})
    assert claims == {"iss": credentials.team_id, "iat": int(clock.now().timestamp())}


def test_one_token_serves_fifty_minutes_and_not_a_minute_more(
    token: ProviderToken, passing: Callable[[float], None]
) -> None:
    first = token.get_header()
    passing(49.9)
    assert token.get_header() == first

    passing(0.2)
    assert token.get_header() != first


def test_a_refused_token_is_renewed_once_for_all_who_were_refused(
    token: ProviderToken, passing: Callable[[float], None]
) -> None:
    refused = token.get_header()
    passing(21)

    assert token.renew(refused)
    renewed = token.get_header()
    assert renewed != refused
    assert token.renew(refused)
    assert token.get_header() == renewed


def test_a_token_younger_than_twenty_minutes_is_never_replaced(
    token: ProviderToken, passing: Callable[[float], None]
) -> None:
    refused = token.get_header()
    passing(19)

    assert not token.renew(refused)
    assert token.get_header() == refused


async def test_a15_all_connections_share_one_token_over_hours(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    """A second token within 20 minutes on a connection would be refused by the sandbox."""
    for _ in range(12):
        clock.move(minutes=15)
        pushes = [attempt(AddressKind.APNS, now=clock.now()) for _ in range(3)]
        outcomes = await apns.send(pushes)
        assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}


async def test_a16_an_expired_token_is_replaced_and_the_push_was_not_processed(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    push = attempt(AddressKind.APNS, now=clock.now())
    await apns.send([push])
    clock.move(minutes=30)
    sandbox.faults.add(Fault("apns", "ExpiredProviderToken", times=1))

    [refused] = await apns.send([push])
    [repeated] = await apns.send([push])

    assert (refused.verdict, refused.reason) == (Verdict.NOT_SENT, "ExpiredProviderToken")
    assert repeated.verdict is Verdict.ACCEPTED


async def test_a_fresh_token_called_expired_means_that_a_clock_is_wrong(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    behind = ManualClock(clock.now().replace(hour=1))
    async with open_apns(options_for(sandbox), clock=behind) as apns:
        [outcome] = await apns.send([attempt(AddressKind.APNS, now=clock.now())])

    assert outcome.verdict is Verdict.MISCONFIGURED
    assert "clock" in outcome.reason


async def test_a_wrong_key_id_blames_the_settings(sandbox: Sandbox, clock: ManualClock) -> None:
    wrong = replace(options_for(sandbox), key_id="OTHERKEY00")
    async with open_apns(wrong, clock=clock) as apns:
        [outcome] = await apns.send([attempt(AddressKind.APNS, now=clock.now())])

    assert (outcome.verdict, outcome.reason) == (Verdict.MISCONFIGURED, "InvalidProviderToken")
