from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import msgspec
import pytest

from kernel.notices import Urgency
from notifications.adapters.fcm import FcmOptions, FcmProvider
from notifications.sandbox.faults import Fault
from notifications.sandbox.fcm_errors import OUTCOMES
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Content, Outcome, ThrottleScope, Verdict
from tests.support.clock import ManualClock
from tests.support.sandbox import attempt, fcm_options, open_fcm

TOKEN = AddressKind.FCM_TOKEN


@pytest.mark.parametrize("kind", [AddressKind.FCM_TOKEN, AddressKind.FCM_FID])
async def test_a_push_arrives_once_with_its_texts_and_id(
    kind: AddressKind, fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    push = attempt(kind, now=clock.now(), title="سارة", body="À demain")

    [outcome] = await fcm.send([push])

    [arrival] = sandbox.arrivals.after()
    assert outcome == Outcome(Verdict.ACCEPTED, provider_id=arrival.provider_id)
    assert (arrival.title, arrival.body) == ("سارة", "À demain")
    assert arrival.push_id == str(push.push_id)
    assert bytes(arrival.payload).count(b'"fid"') == (kind is AddressKind.FCM_FID)


@pytest.mark.parametrize(
    ("asked", "verdict", "reason"),
    [
        ("unregistered", Verdict.TOKEN_GONE, "UNREGISTERED"),
        ("invalid-argument", Verdict.TOKEN_SUSPECT, "INVALID_ARGUMENT"),
        ("invalid-payload", Verdict.REJECTED, "INVALID_ARGUMENT"),
        ("sender-id-mismatch", Verdict.TOKEN_SUSPECT, "SENDER_ID_MISMATCH"),
        ("unauthenticated", Verdict.MISCONFIGURED, "UNAUTHENTICATED"),
        ("access-token-expired", Verdict.MISCONFIGURED, "ACCESS_TOKEN_EXPIRED"),
        ("apns-auth-error", Verdict.MISCONFIGURED, "APNS_AUTH_ERROR"),
        ("third-party-auth-error", Verdict.MISCONFIGURED, "THIRD_PARTY_AUTH_ERROR"),
        ("permission-denied", Verdict.MISCONFIGURED, "PERMISSION_DENIED"),
        ("not-found", Verdict.MISCONFIGURED, "NOT_FOUND"),
    ],
)
async def test_an_error_that_waiting_does_not_mend_is_told_as_what_it_is(
    asked: str, verdict: Verdict, reason: str, fcm: FcmProvider, clock: ManualClock
) -> None:
    push = attempt(TOKEN, now=clock.now(), address=f"sandbox-{asked}-1")

    assert await fcm.send([push]) == [Outcome(verdict, reason)]


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_every_error_of_fcm_is_understood_with_and_without_its_body(
    outcome: str, fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    """Without a body the fault is never the device's: no address is lost to a front end."""
    begins = clock.now() + timedelta(minutes=1)
    sandbox.faults.add(Fault("fcm", outcome, prefix="said"))
    sandbox.faults.add(Fault("fcm", outcome, prefix="bare", bare=True))
    sandbox.faults.add(Fault("fcm", outcome, prefix="later", starts_at=begins))
    pushes = [
        attempt(TOKEN, now=clock.now(), address=f"{each}-phone")
        for each in ("said", "bare", "later")
    ]

    said, bare, early = await fcm.send(pushes)

    assert Verdict.ACCEPTED not in (said.verdict, bare.verdict)
    assert bare.verdict not in (Verdict.TOKEN_GONE, Verdict.TOKEN_SUSPECT)
    assert early.verdict is Verdict.ACCEPTED


async def test_an_installation_that_is_none_is_suspect(
    fcm: FcmProvider, clock: ManualClock
) -> None:
    push = attempt(AddressKind.FCM_FID, now=clock.now(), address="sandbox-invalid-argument")

    assert await fcm.send([push]) == [Outcome(Verdict.TOKEN_SUSPECT, "INVALID_ARGUMENT")]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("internal", "INTERNAL"),
        ("unavailable", "UNAVAILABLE"),
        ("unspecified-error", "UNSPECIFIED_ERROR"),
        ("bad-gateway", "HTTP 502"),
        ("gateway-timeout", "HTTP 504"),
    ],
)
async def test_a_failing_provider_is_left_alone_for_ten_seconds(
    asked: str, reason: str, fcm: FcmProvider, clock: ManualClock
) -> None:
    push = attempt(TOKEN, now=clock.now(), address=f"sandbox-{asked}-1")

    tries = 2 if asked == "unspecified-error" else None
    outcome = Outcome(Verdict.FAILED, reason, retry_after=10.0, tries=tries)
    assert await fcm.send([push]) == [outcome]


@pytest.mark.parametrize(
    ("asked", "reason", "scope"),
    [
        ("quota-exceeded", "QUOTA_EXCEEDED", ThrottleScope.CREDENTIAL),
        ("resource-exhausted", "RESOURCE_EXHAUSTED", ThrottleScope.CREDENTIAL),
        ("device-quota-exceeded", "QUOTA_EXCEEDED", ThrottleScope.DEVICE),
    ],
)
async def test_a_throttled_push_says_whom_the_provider_wants_to_hear_less_of(
    asked: str, reason: str, scope: ThrottleScope, fcm: FcmProvider, clock: ManualClock
) -> None:
    push = attempt(TOKEN, now=clock.now(), address=f"sandbox-{asked}-1")

    expected = Outcome(Verdict.THROTTLED, reason, retry_after=60.0, scope=scope)
    assert await fcm.send([push]) == [expected]


@pytest.mark.parametrize("in_seconds", [True, False])
async def test_retry_after_is_understood_in_both_forms(
    in_seconds: bool, fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    date = format_datetime(clock.now() + timedelta(seconds=90), usegmt=True)
    header = "90" if in_seconds else date
    sandbox.faults.add(Fault("fcm", "QUOTA_EXCEEDED", retry_after=header))
    sandbox.faults.add(Fault("fcm", "UNAVAILABLE", prefix="other", retry_after=header))

    outcomes = await fcm.send(
        [
            attempt(TOKEN, now=clock.now()),
            attempt(TOKEN, now=clock.now(), address="other-phone"),
        ]
    )

    assert [outcome.retry_after for outcome in outcomes] == [90.0, 90.0]


@pytest.mark.parametrize("asked", ["reset", "drop", "accept-and-drop"])
async def test_a_connection_lost_after_the_request_leaves_the_push_in_doubt(
    asked: str, fcm: FcmProvider, clock: ManualClock
) -> None:
    push = attempt(TOKEN, now=clock.now(), address=f"sandbox-{asked}-1")

    [outcome] = await fcm.send([push])

    assert outcome.verdict is Verdict.AMBIGUOUS


async def test_a_push_in_doubt_is_not_sent_again_by_the_adapter(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    push = attempt(TOKEN, now=clock.now(), address="sandbox-accept-and-drop-1")

    await fcm.send([push])

    assert len(sandbox.arrivals.after()) == 1


async def test_a_silent_provider_is_given_up_at_the_deadline(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    options = replace(fcm_options(sandbox), deadline=1.5, connect_within=1.5)
    async with open_fcm(options, clock=clock) as fcm:
        good = attempt(TOKEN, now=clock.now())
        silent = attempt(TOKEN, now=clock.now(), address="sandbox-silence-1")

        outcomes = await fcm.send([good, silent])

    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED, Verdict.AMBIGUOUS]


async def test_an_error_in_two_pieces_is_read_whole(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.faults.add(Fault("fcm", "UNREGISTERED", split=True))

    [outcome] = await fcm.send([attempt(TOKEN, now=clock.now())])

    assert outcome == Outcome(Verdict.TOKEN_GONE, "UNREGISTERED")


async def test_an_unreachable_provider_has_certainly_not_seen_the_push(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    # Port 9 is "discard"; nothing listens there.
    options = replace(fcm_options(sandbox), endpoint="https://localhost:9/v1/projects")
    async with open_fcm(options, clock=clock) as fcm:
        [outcome] = await fcm.send([attempt(TOKEN, now=clock.now())])

    assert outcome.verdict is Verdict.NOT_SENT
    assert "Connect" in outcome.reason


async def test_a_certificate_nobody_vouches_for_is_not_trusted(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    async with open_fcm(replace(fcm_options(sandbox), ca_file=""), clock=clock) as fcm:
        [outcome] = await fcm.send([attempt(TOKEN, now=clock.now())])

    assert outcome.verdict is Verdict.NOT_SENT
    assert "certificate" in outcome.reason.lower()
    assert sandbox.arrivals.total == 0


async def test_a_wrong_project_blames_the_settings_and_no_token(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    wrong = sandbox.fcm_endpoint.replace("/projects", "/projects/another")
    async with open_fcm(replace(fcm_options(sandbox), endpoint=wrong), clock=clock) as fcm:
        [outcome] = await fcm.send([attempt(TOKEN, now=clock.now())])

    assert outcome.verdict is Verdict.MISCONFIGURED


@pytest.mark.parametrize(
    "content",
    [
        Content("t", "b", data={"from": "x"}),
        Content("t", "b", data={"google.sent_time": "x"}),
        Content("t", "b", data={"gcm.notification.body": "x"}),
        Content("t", "غ" * 3000),
        Content("t", "half a character: \ud83d"),
    ],
    ids=["from", "google", "gcm", "too big", "lone surrogate"],
)
async def test_a_poisoned_push_is_rejected_alone_and_without_asking_the_provider(
    content: Content, fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    poisoned = attempt(TOKEN, now=clock.now(), content=content)

    outcomes = await fcm.send([poisoned, attempt(TOKEN, now=clock.now())])

    assert [outcome.verdict for outcome in outcomes] == [Verdict.REJECTED, Verdict.ACCEPTED]
    assert sandbox.arrivals.total == 1


async def test_a_payload_of_exactly_the_allowed_size_passes(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    # "title" and "body" count as well as their texts, and "push_id" with its 36 characters.
    room = 4096 - len("title" + "t" + "body") - len("push_id") - 36
    fits = attempt(TOKEN, now=clock.now(), content=Content("t", "b" * room))
    too_big = attempt(TOKEN, now=clock.now(), content=Content("t", "b" * (room + 1)))

    outcomes = await fcm.send([fits, too_big])

    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED, Verdict.REJECTED]


async def test_what_reaches_the_phone_follows_urgency_expiry_and_thread(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    content = Content(
        "t", "b", data={"k": "v"}, link="app://c/1", thread="c1", category="chat", badge=3
    )
    push = attempt(TOKEN, now=clock.now(), content=content, collapse_key="c" * 100)

    # One after the other: they have connections of their own, and either may be the faster.
    await fcm.send([push])
    await fcm.send([replace(push, urgency=Urgency.MARKETING)])

    chat, marketing = [_message(sandbox, number) for number in (1, 2)]
    assert chat["data"] == {
        "k": "v",
        "push_id": str(push.push_id),
        "link": "app://c/1",
        "thread": "c1",
    }
    assert chat["android"] == {
        "priority": "HIGH",
        "ttl": "3600s",
        "collapse_key": "c" * 100,
        "notification": {"tag": "c" * 100, "channel_id": "chat", "notification_count": 3},
    }
    assert len(chat["apns"]["headers"]["apns-collapse-id"]) == 64
    aps = {"sound": "default", "badge": 3, "thread-id": "c1", "category": "chat"}
    assert chat["apns"]["payload"] == {"aps": aps}
    assert marketing["android"]["priority"] == "NORMAL"
    assert marketing["apns"]["headers"]["apns-priority"] == "5"


async def test_hundreds_are_sent_over_a_bounded_number_of_connections(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    async with open_fcm(replace(fcm_options(sandbox), connections=5), clock=clock) as fcm:
        pushes = [attempt(TOKEN, now=clock.now(), address=f"phone-{n:04}") for n in range(300)]

        outcomes = await fcm.send(pushes)

        assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
        assert sandbox.counts()["fcm_connections"] <= 5
    assert {each.address for each in sandbox.arrivals.after()} == {p.address for p in pushes}


def test_options_that_cannot_work_are_refused() -> None:
    for wrong in (
        {"endpoint": "http://fcm.googleapis.com"},
        {"streams": 0},
        {"connections": 0},
        {"connect_within": 20.0},
        {"deadline": 0.0},
    ):
        with pytest.raises(ValueError, match="must be"):
            FcmOptions(**wrong)  # type: ignore[arg-type]


def _message(sandbox: Sandbox, number: int) -> dict[str, dict]:  # type: ignore[type-arg]

    [arrival] = sandbox.arrivals.after(number - 1, limit=1)
    return msgspec.json.decode(arrival.payload)["message"]
