"""Web Push against the sandbox, which decrypts and verifies what browsers' services would."""

from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kernel.notices import Urgency
from notifications.adapters.public_addresses import is_public
from notifications.adapters.webpush import WebPushOptions
from notifications.adapters.webpush_crypto import BODY_BYTES, PLAIN_BYTES, encrypted
from notifications.adapters.webpush_guard import is_allowed
from notifications.sandbox.faults import Fault
from notifications.sandbox.sandbox import Sandbox
from notifications.subscriptions import base64url, subscription_of
from notifications.types import (
    AddressKind,
    Attempt,
    Content,
    Outcome,
    PushKind,
    ThrottleScope,
    Verdict,
)
from tests.support.clock import ManualClock
from tests.support.sandbox import attempt, open_webpush, webpush_options


@pytest.fixture
def push(sandbox: Sandbox, clock: ManualClock):
    """Pushes to browsers of the sandbox, by name."""

    def make(name: str = "amina-firefox", **fields: object) -> Attempt:
        address = sandbox.webpush.subscribe(name)
        return attempt(AddressKind.WEBPUSH, now=clock.now(), address=address, **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
async def browsers(sandbox: Sandbox, clock: ManualClock):
    async with open_webpush(webpush_options(sandbox), clock=clock) as opened:
        yield opened


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_encryption_is_that_of_rfc_8291_to_the_letter() -> None:
    """Its appendix A, with the sender's key and the salt given there."""
    subscription = subscription_of(
        '{"endpoint":"https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV","keys":{'
        '"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpk'
        'NtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}'
    )
    number = int.from_bytes(decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big")

    body = encrypted(
        b"When I grow up, I want to be a watermelon",
        subscription,
        key=ec.derive_private_key(number, ec.SECP256R1()),
        salt=decoded("DGv6ra1nlYgDCS1FRnbzlw"),
    )

    assert base64url(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYW"
        "AmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgS"
        "xsj_Qulcy4a-fN"
    )


async def test_a_push_arrives_readable_by_the_browser_alone(browsers, push, sandbox) -> None:
    sent = push(title="سارة", body="À demain", collapse_key="c1")

    [outcome] = await browsers.send([sent])

    [arrival] = sandbox.arrivals.after()
    assert outcome == Outcome(Verdict.ACCEPTED, provider_id=arrival.provider_id)
    assert msgspec.json.decode(arrival.payload) == {
        "notification": {"title": "سارة", "body": "À demain", "tag": "c1"},
        "data": {"push_id": str(sent.push_id)},
    }


@pytest.mark.parametrize(
    ("urgency", "expected"),
    [
        (Urgency.INTERACTIVE, "high"),
        (Urgency.TRANSACTIONAL, "normal"),
        (Urgency.MARKETING, "low"),
    ],
)
async def test_services_are_told_how_urgent_for_how_long_and_in_whose_place(
    urgency: Urgency, expected: str, browsers, push, sandbox
) -> None:
    await browsers.send([push(urgency=urgency, collapse_key="c1")])
    await browsers.send([push(urgency=urgency, collapse_key="c1" * 200)])

    first, second = sandbox.arrivals.after()
    assert (first.headers["ttl"], first.headers["urgency"]) == ("3600", expected)
    assert len(first.headers["topic"]) == 32
    assert first.headers["topic"] != second.headers["topic"]


async def test_now_or_never_is_a_ttl_of_0(browsers, push, sandbox) -> None:
    await browsers.send([push(content=Content("t", "b", now_or_never=True))])

    assert sandbox.arrivals.after()[0].headers["ttl"] == "0"


async def test_a_silent_push_has_no_words_and_a_link_makes_a_declarative_one(
    browsers, push, sandbox
) -> None:
    silent = Content("t", "b", kind=PushKind.BACKGROUND, data={"sync": "1"}, badge=3)
    linked = Content("t", "b", link="https://app.example/c/1", image="https://i.example/1.png")

    await browsers.send([push(content=silent, collapse_key="")])
    await browsers.send([push(content=replace(linked, web={"dir": "rtl"}), collapse_key="")])

    first, second = (msgspec.json.decode(each.payload) for each in sandbox.arrivals.after())
    assert first.keys() == {"data", "app_badge"}
    assert second["web_push"] == 8030
    assert second["notification"] == {
        "title": "t",
        "body": "b",
        "image": "https://i.example/1.png",
        "navigate": "https://app.example/c/1",
        "dir": "rtl",
    }


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        ("BAD_REQUEST", Outcome(Verdict.REJECTED, "HTTP 400")),
        ("UNAUTHORIZED", Outcome(Verdict.TOKEN_SUSPECT, "HTTP 401")),
        ("FORBIDDEN", Outcome(Verdict.TOKEN_SUSPECT, "HTTP 403")),
        ("NOT_FOUND", Outcome(Verdict.TOKEN_GONE, "HTTP 404")),
        ("GONE", Outcome(Verdict.TOKEN_GONE, "HTTP 410")),
        ("PAYLOAD_TOO_LARGE", Outcome(Verdict.REJECTED, "HTTP 413")),
        (
            "TOO_MANY_REQUESTS",
            Outcome(Verdict.THROTTLED, "HTTP 429", retry_after=60.0, scope=ThrottleScope.DEVICE),
        ),
        ("INTERNAL", Outcome(Verdict.FAILED, "HTTP 500", retry_after=10.0)),
        ("BAD_GATEWAY", Outcome(Verdict.FAILED, "HTTP 502", retry_after=10.0)),
        ("UNAVAILABLE", Outcome(Verdict.FAILED, "HTTP 503", retry_after=10.0)),
        ("REDIRECT", Outcome(Verdict.REJECTED, "HTTP 307")),
    ],
)
async def test_every_answer_is_told_as_what_it_is(asked, outcome, browsers, push) -> None:
    name = "sandbox-" + asked.lower().replace("_", "-")

    assert await browsers.send([push(name)]) == [outcome]


@pytest.mark.parametrize("asked", ["TOO_MANY_REQUESTS", "UNAVAILABLE"])
async def test_retry_after_is_understood_in_both_forms(
    asked, browsers, push, sandbox, clock
) -> None:
    in_two_minutes = format_datetime(clock.now() + timedelta(minutes=2), usegmt=True)
    waits = []
    for said in ("120", in_two_minutes):
        sandbox.faults.add(Fault("webpush", asked, retry_after=said))
        waits += [outcome.retry_after for outcome in await browsers.send([push()])]

    assert waits == [120.0, pytest.approx(120.0, abs=1.0)]


async def test_a_key_that_the_browser_was_not_subscribed_with_is_suspect(
    browsers, sandbox, clock
) -> None:
    other = base64url(subscription_of(sandbox.webpush.subscribe("karim")).p256dh)
    address = sandbox.webpush.subscribe("amina", other)

    [outcome] = await browsers.send(
        [attempt(AddressKind.WEBPUSH, now=clock.now(), address=address)]
    )

    assert outcome == Outcome(Verdict.TOKEN_SUSPECT, "HTTP 403")


async def test_a_proof_is_renewed_before_it_ends(browsers, push, sandbox, clock) -> None:
    for _ in range(5):
        [outcome] = await browsers.send([push()])
        assert outcome.verdict is Verdict.ACCEPTED
        clock.move(hours=5)


async def test_the_longest_message_fits_and_one_byte_more_is_not_sent(
    browsers, push, sandbox
) -> None:
    room = PLAIN_BYTES - len(msgspec.json.encode(await _payload(browsers, push, sandbox)))

    fits, too_long = await browsers.send(
        [push(title="t", body="b" + "x" * room), push(title="t", body="b" + "x" * (room + 1))]
    )

    assert fits.verdict is Verdict.ACCEPTED
    assert too_long == Outcome(Verdict.REJECTED, f"payload of {PLAIN_BYTES + 1} bytes")
    assert BODY_BYTES == 4096


@pytest.mark.parametrize(
    "content",
    [
        Content("t", "b", web={"onclick": "x"}),
        Content("t", "b", web={"tag": object()}),
        Content("t", "half a character: \ud83d"),
    ],
)
async def test_a_poisoned_push_is_rejected_alone(content, browsers, push, sandbox) -> None:
    outcomes = await browsers.send([push(content=content), push()])

    assert [outcome.verdict for outcome in outcomes] == [Verdict.REJECTED, Verdict.ACCEPTED]


class TestGuard:
    """An endpoint is an address that a stranger chose."""

    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1%eth0",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:0:a00:1::",
            "ff02::1",
        ],
    )
    def test_private_addresses_are_known_in_every_disguise(self, address: str) -> None:
        assert not is_public(address)

    @pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
    def test_public_ones_too(self, address: str) -> None:
        assert is_public(address)

    async def test_a_name_that_leads_home_is_not_connected_to(self, sandbox, push, clock) -> None:
        options = replace(
            webpush_options(sandbox), own_service="", origins=(sandbox.webpush_origin,)
        )
        async with open_webpush(options, clock=clock) as browsers:
            outcomes = await browsers.send([push()])

        assert outcomes == [Outcome(Verdict.REJECTED, "endpoint in a private network")]
        assert sandbox.counts()["webpush_connections"] == 0

    async def test_trust_in_our_own_service_is_trust_in_one_port(
        self, sandbox, push, clock
    ) -> None:
        own = sandbox.webpush_origin.rpartition(":")[0] + ":9"
        options = replace(webpush_options(sandbox), own_service=own, origins=("*",))
        async with open_webpush(options, clock=clock) as browsers:
            outcomes = await browsers.send([push()])

        assert outcomes == [Outcome(Verdict.REJECTED, "endpoint in a private network")]

    async def test_an_origin_that_is_not_on_the_list_is_not_connected_to(
        self, sandbox, push, clock
    ) -> None:
        options = replace(webpush_options(sandbox), own_service="")
        async with open_webpush(options, clock=clock) as browsers:
            outcomes = await browsers.send([push()])

        assert outcomes == [Outcome(Verdict.REJECTED, "origin not allowed")]

    @pytest.mark.parametrize(
        ("origin", "allowed"),
        [
            ("https://fcm.googleapis.com", True),
            ("https://wns2-par02p.notify.windows.com", True),
            ("https://notify.windows.com", False),
            ("https://evilnotify.windows.com", False),
            ("https://fcm.googleapis.com.evil.example", False),
            ("https://fcm.googleapis.com:8443", False),
        ],
    )
    def test_the_list_has_browsers_services_and_no_lookalikes(
        self, origin: str, allowed: bool
    ) -> None:
        assert is_allowed(origin, WebPushOptions().origins) is allowed


def test_options_that_cannot_work_are_refused() -> None:
    for wrong in (
        {"key_file": "vapid.pem"},
        {"key_file": "vapid.pem", "subject": "me"},
        {"origins": ("http://push.example",)},
        {"own_service": "localhost"},
        {"connections": 0},
        {"connect_within": 20.0},
    ):
        with pytest.raises(ValueError, match=r"must be|needs"):
            WebPushOptions(**wrong)  # type: ignore[arg-type]


async def _payload(browsers, push, sandbox) -> object:
    await browsers.send([push(title="t", body="b")])
    return msgspec.json.decode(sandbox.arrivals.after()[0].payload)
