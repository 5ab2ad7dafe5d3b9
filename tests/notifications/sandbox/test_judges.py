"""Clients that are not ours judge the sandbox: firebase-admin, aioapns and PyFCM as they are."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import firebase_admin
import pytest
from aioapns import APNs, NotificationRequest, PushType
from firebase_admin import credentials as firebase_credentials
from firebase_admin import exceptions, messaging
from google.auth import _regional_access_boundary_utils
from pyfcm import FCMNotification
from pyfcm.errors import FCMNotRegisteredError, FCMSenderIdMismatchError, InvalidDataError

from kernel.clock import SystemClock
from notifications.sandbox.apns import PREFIXES
from notifications.sandbox.credentials import Files
from notifications.sandbox.sandbox import Sandbox
from tests.support.sandbox import APNS_ADDRESS, running_sandbox
from tests.support.scripted_apns import stock_aioapns

Send = Callable[[messaging.Message], Any]


@pytest.fixture
async def sandbox(credentials: Files) -> AsyncIterator[Sandbox]:
    """These clients read the machine's clock, so the sandbox does too."""
    async with running_sandbox(credentials.directory, clock=SystemClock()) as opened:
        yield opened


@pytest.fixture
async def firebase(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Any]]:
    """Send with firebase-admin; only the address and the certificate are ours."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.files.authority))
    monkeypatch.setattr(
        messaging._MessagingService, "FCM_URL", sandbox.fcm_endpoint + "/{0}/messages:send"
    )
    # google-auth asks Google in the background where the key may be used; tests stay at home.
    monkeypatch.setattr(_regional_access_boundary_utils, "_get_domain", lambda: "localhost:9")
    certificate = firebase_credentials.Certificate(str(sandbox.files.service_account))
    app = firebase_admin.initialize_app(certificate, name="judge")

    async def send(*, validate_only: bool = False, **fields: Any) -> Any:
        with warnings.catch_warnings():
            # firebase-admin prefers installation ids since 2026; phones still have tokens.
            warnings.simplefilter("ignore", DeprecationWarning)
            message = messaging.Message(**fields)
        return await asyncio.to_thread(messaging.send, message, validate_only, app)

    yield send
    # It runs an event loop of its own to close its clients.
    await asyncio.to_thread(firebase_admin.delete_app, app)


@pytest.fixture
async def apple(sandbox: Sandbox) -> AsyncIterator[APNs]:
    async with stock_aioapns(sandbox.files, sandbox.apns_address) as client:
        yield client


async def test_firebase_admin_sends_to_a_token_and_to_an_installation(
    firebase: Callable[..., Any], sandbox: Sandbox
) -> None:
    notification = messaging.Notification("زفاف سارة", "Demain à 14h")
    by_token = await firebase(
        token="sandbox-phone",
        notification=notification,
        data={"k": "v"},
        android=messaging.AndroidConfig(
            ttl=3600,
            priority="high",
            collapse_key="c",
            notification=messaging.AndroidNotification(tag="c", channel_id="chat"),
        ),
        apns=messaging.APNSConfig(
            headers={"apns-priority": "10"},
            payload=messaging.APNSPayload(messaging.Aps(badge=1, thread_id="c")),
        ),
        webpush=messaging.WebpushConfig(headers={"TTL": "60"}),
        fcm_options=messaging.FCMOptions(analytics_label="wedding"),
    )
    by_fid = await firebase(fid="fid-1234567890", notification=notification)

    assert [each.provider_id for each in sandbox.arrivals.after()] == [by_token, by_fid]
    assert {each.title for each in sandbox.arrivals.after()} == {"زفاف سارة"}


async def test_firebase_admin_validates_without_anything_arriving(
    firebase: Callable[..., Any], sandbox: Sandbox
) -> None:
    name = await firebase(token="sandbox-phone", data={"k": "v"}, validate_only=True)

    assert name.endswith("/messages/fake_message_id")
    assert sandbox.arrivals.total == 0


@pytest.mark.parametrize(
    ("asked", "error", "http"),
    [
        ("unregistered", messaging.UnregisteredError, 404),
        ("sender-id-mismatch", messaging.SenderIdMismatchError, 403),
        ("third-party-auth-error", messaging.ThirdPartyAuthError, 401),
        ("quota-exceeded", messaging.QuotaExceededError, 429),
        ("invalid-argument", exceptions.InvalidArgumentError, 400),
        ("invalid-payload", exceptions.InvalidArgumentError, 400),
        ("not-found", exceptions.NotFoundError, 404),
        ("permission-denied", exceptions.PermissionDeniedError, 403),
        ("unauthenticated", exceptions.UnauthenticatedError, 401),
    ],
)
async def test_firebase_admin_recognises_each_error(
    asked: str, error: type[Exception], http: int, firebase: Callable[..., Any]
) -> None:
    with pytest.raises(error) as caught:
        await firebase(token=f"sandbox-{asked}-1", data={"k": "v"})

    assert type(caught.value) is error
    assert caught.value.http_response.status_code == http  # type: ignore[attr-defined]


async def test_aioapns_as_it_is_delivers(apple: APNs, sandbox: Sandbox) -> None:
    request = NotificationRequest(
        APNS_ADDRESS,
        {"aps": {"alert": {"title": "زفاف سارة", "body": "Demain"}}},
        time_to_live=3600,
        priority=10,
        collapse_key="c",
        push_type=PushType.ALERT,
    )

    result = await apple.send_notification(request)

    [arrival] = sandbox.arrivals.after()
    assert (result.status, result.notification_id) == ("200", arrival.push_id)
    assert (arrival.title, arrival.body) == ("زفاف سارة", "Demain")
    assert arrival.headers["apns-collapse-id"] == "c"


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("BadDeviceToken", "400"),
        ("InvalidProviderToken", "403"),
        ("Unregistered", "410"),
        ("ExpiredToken", "410"),
        ("TooManyRequests", "429"),
        ("InternalServerError", "500"),
        ("ServiceUnavailable", "503"),
    ],
)
async def test_aioapns_as_it_is_gets_each_reason(reason: str, status: str, apple: APNs) -> None:
    [prefix] = [prefix for prefix, outcome in PREFIXES.items() if outcome == reason]
    request = NotificationRequest(prefix + "0" * 59, {"aps": {"alert": "x"}})

    result = await apple.send_notification(request)

    assert (result.status, result.description) == (status, reason)
    assert (result.timestamp is not None) == (status == "410")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("unregistered", FCMNotRegisteredError),
        ("sender-id-mismatch", FCMSenderIdMismatchError),
        ("invalid-argument", InvalidDataError),
    ],
)
async def test_pyfcm_as_it_is_sends_and_recognises_errors(
    asked: str, error: type[Exception], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.files.authority))
    client = FCMNotification(service_account_file=str(sandbox.files.service_account))
    client.FCM_END_POINT_BASE = sandbox.fcm_endpoint

    def notify(address: str) -> Any:
        try:
            return client.notify(address, notification_title="t", notification_body="b")
        finally:
            client.requests_session.close()

    accepted = await asyncio.to_thread(notify, "sandbox-phone")
    with pytest.raises(error):
        await asyncio.to_thread(notify, f"sandbox-{asked}-1")

    [arrival] = sandbox.arrivals.after()
    assert accepted == {"name": arrival.provider_id}
