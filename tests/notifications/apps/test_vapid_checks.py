"""What is known of a VAPID key before a push is sent with it."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kernel.ids import UserId
from notifications.adapters.sql_surveys import SqlSurveys
from notifications.adapters.webpush import WebPushProvider
from notifications.apps.types import NOBODY
from notifications.sandbox.credentials import init
from notifications.sandbox.webpush_rules import point_of
from notifications.subscriptions import base64url, subscription_of
from notifications.types import AddressKind, Platform, Route, Verdict
from tests.support.factories_notifications import Room, registration
from tests.support.sandbox import open_webpush, running_sandbox, webpush_options

OTHER = base64url(point_of(ec.generate_private_key(ec.SECP256R1())))


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    return init(tmp_path_factory.mktemp("sandbox"), fcm_port=0)


@pytest.fixture
async def sandbox(credentials, clock):
    async with running_sandbox(credentials.directory, clock=clock) as opened:
        yield opened


@pytest.fixture
async def provider(sandbox, clock):
    async with open_webpush(webpush_options(sandbox), clock=clock) as opened:
        yield opened


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def subscribe(room, sandbox):
    async def subscribe(number, key=""):
        said = json.loads(sandbox.webpush.subscribe(f"browser-{number}"))
        if key:
            said["applicationServerKey"] = key
        told = registration(
            number,
            address_kind=AddressKind.WEBPUSH,
            address=subscription_of(json.dumps(said)).text,
            platform=Platform.WEB,
        )
        return await room.register(UserId(f"user-{number}"), told)

    return subscribe


async def checked(provider, room):
    survey = await SqlSurveys(room.database).of_browsers("default")
    return (await provider.check(survey))[Route.WEBPUSH]


async def test_a_key_that_nobody_subscribed_with_is_neither_taken_nor_refused(provider):
    outcome = (await provider.check(NOBODY))[Route.WEBPUSH]

    assert outcome.verdict is Verdict.NOT_SENT
    assert outcome.reason.endswith("only a subscription can prove the key")


async def test_a_key_that_subscriptions_say_they_were_made_with_is_taken(
    provider, room, subscribe, sandbox
):
    await subscribe(1, vapid_of(provider))
    await subscribe(2, OTHER)
    await subscribe(3)

    outcome = await checked(provider, room)

    assert outcome.verdict is Verdict.ACCEPTED
    assert "of 3 subscriptions looked at, 1 say they were made with it and 1 with another" in (
        outcome.reason
    )
    assert "reached (404)" in outcome.reason
    assert sandbox.arrivals.total == 0


async def test_a_key_is_refused_when_all_were_made_with_another(provider, room, subscribe):
    await subscribe(1, OTHER)
    await subscribe(2)

    assert (await checked(provider, room)).verdict is Verdict.MISCONFIGURED


async def test_a_push_that_a_service_took_speaks_for_the_key(provider, room, subscribe, clock):
    phone = await subscribe(1)
    await room.devices.accepted([phone.id], now=clock.now())

    outcome = await checked(provider, room)

    assert outcome.verdict is Verdict.ACCEPTED
    assert "a push was last accepted 2026-03-01 08:00Z" in outcome.reason


async def test_a_service_that_does_not_answer_is_named(provider, room, subscribe, sandbox):
    await subscribe(1, vapid_of(provider))
    await sandbox.close()

    assert "not reached" in (await checked(provider, room)).reason


def test_a_subscription_may_say_which_key_it_was_made_with():
    keys = {"auth": "A" * 22, "p256dh": OTHER}
    said = {"endpoint": "https://push.example/1", "keys": keys, "applicationServerKey": OTHER + "="}

    assert subscription_of(json.dumps(said)).made_with == OTHER


def vapid_of(provider: WebPushProvider) -> str:
    assert provider._vapid is not None
    return provider._vapid.public_key
