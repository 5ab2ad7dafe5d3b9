from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from kernel.notices import Urgency
from notifications.adapters.apns import ApnsOptions, ApnsProvider
from notifications.adapters.apns_answers import Answer, outcome_of
from notifications.sandbox.apns import PREFIXES
from notifications.sandbox.apns_rules import STATUS
from notifications.sandbox.faults import Fault
from notifications.sandbox.sandbox import Sandbox
from notifications.types import (
    AddressKind,
    Attempt,
    Content,
    Environment,
    Outcome,
    ThrottleScope,
    Verdict,
)
from tests.support.clock import START, ManualClock
from tests.support.sandbox import apns_options, attempt, open_apns

BY_OUTCOME = {outcome: prefix for prefix, outcome in PREFIXES.items()}


def push(clock: ManualClock, *, asks: str = "", **fields: object) -> Attempt:
    address = BY_OUTCOME[asks] + "0" * 59 if asks else ""
    return attempt(AddressKind.APNS, now=clock.now(), address=address, **fields)  # type: ignore[arg-type]


async def test_a_push_arrives_once_with_its_texts_and_id(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    sent = push(clock, title="سارة", body="À demain")

    [outcome] = await apns.send([sent])

    [arrival] = sandbox.arrivals.after()
    assert outcome == Outcome(Verdict.ACCEPTED, provider_id=str(sent.push_id))
    assert (arrival.title, arrival.body) == ("سارة", "À demain")
    assert arrival.push_id == str(sent.push_id)


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("BadDeviceToken", Verdict.TOKEN_SUSPECT),
        ("DeviceTokenNotForTopic", Verdict.TOKEN_SUSPECT),
        ("BadCollapseId", Verdict.REJECTED),
        ("BadExpirationDate", Verdict.REJECTED),
        ("BadMessageId", Verdict.REJECTED),
        ("BadPriority", Verdict.REJECTED),
        ("BadTopic", Verdict.REJECTED),
        ("DuplicateHeaders", Verdict.REJECTED),
        ("InvalidPushType", Verdict.REJECTED),
        ("MissingDeviceToken", Verdict.REJECTED),
        ("MissingTopic", Verdict.REJECTED),
        ("PayloadEmpty", Verdict.REJECTED),
        ("TopicDisallowed", Verdict.MISCONFIGURED),
        ("IdleTimeout", Verdict.NOT_SENT),
        ("BadCertificate", Verdict.MISCONFIGURED),
        ("BadCertificateEnvironment", Verdict.MISCONFIGURED),
        ("BadEnvironmentKeyIdInToken", Verdict.MISCONFIGURED),
        ("BadEnvironmentKeyInToken", Verdict.MISCONFIGURED),
        ("Forbidden", Verdict.MISCONFIGURED),
        ("InvalidProviderToken", Verdict.MISCONFIGURED),
        ("MissingProviderToken", Verdict.MISCONFIGURED),
        ("UnrelatedKeyIdInToken", Verdict.NOT_SENT),
        ("BadPath", Verdict.REJECTED),
        ("MethodNotAllowed", Verdict.REJECTED),
        ("PayloadTooLarge", Verdict.REJECTED),
    ],
)
async def test_every_refusal_is_told_as_what_it_is(
    reason: str, verdict: Verdict, apns: ApnsProvider, clock: ManualClock
) -> None:
    expected = Outcome(verdict, reason, misplaced=reason == "BadDeviceToken")
    assert await apns.send([push(clock, asks=reason)]) == [expected]


@pytest.mark.parametrize("reason", ["InternalServerError", "ServiceUnavailable", "Shutdown"])
async def test_a_failing_provider_is_left_alone_for_a_quarter_of_an_hour(
    reason: str, apns: ApnsProvider, clock: ManualClock
) -> None:
    expected = Outcome(Verdict.FAILED, reason, retry_after=900.0)

    assert await apns.send([push(clock, asks=reason)]) == [expected]


@pytest.mark.parametrize(
    ("reason", "wait", "scope"),
    [
        ("TooManyRequests", 60.0, ThrottleScope.DEVICE),
        ("TooManyProviderTokenUpdates", 1200.0, ThrottleScope.CREDENTIAL),
    ],
)
async def test_a_throttled_push_says_for_whom_and_how_long(
    reason: str, wait: float, scope: ThrottleScope, apns: ApnsProvider, clock: ManualClock
) -> None:
    expected = Outcome(Verdict.THROTTLED, reason, retry_after=wait, scope=scope)

    assert await apns.send([push(clock, asks=reason)]) == [expected]


@pytest.mark.parametrize("reason", STATUS)
async def test_every_reason_is_understood_per_address_and_time_also_without_its_body(
    reason: str, apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    begins = clock.now() + timedelta(minutes=1)
    sandbox.faults.add(Fault("apns", reason, prefix="aa"))
    sandbox.faults.add(Fault("apns", reason, prefix="bb", bare=True))
    sandbox.faults.add(Fault("apns", reason, prefix="cc", starts_at=begins))
    said, bare, early = [
        outcome
        for prefix in ("aa", "bb", "cc")
        for outcome in await apns.send(
            [attempt(AddressKind.APNS, now=clock.now(), address=prefix * 32)]
        )
    ]

    assert said.verdict is not Verdict.ACCEPTED
    assert bare.verdict is not Verdict.ACCEPTED
    assert bare.verdict is not Verdict.TOKEN_SUSPECT
    assert early.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("reason", ["Unregistered", "ExpiredToken"])
@pytest.mark.parametrize("split", [False, True])
async def test_a_gone_device_says_since_when(
    reason: str, split: bool, apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    since = 1_772_000_000_123
    sandbox.faults.add(Fault("apns", reason, timestamp=since, split=split))

    [outcome] = await apns.send([push(clock)])

    instant = datetime.fromtimestamp(since / 1000, UTC)
    assert outcome == Outcome(Verdict.TOKEN_GONE, reason, invalid_since=instant)


async def test_an_address_of_the_other_environment_is_suspect_not_gone(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    address = "d0d0" * 16
    there = attempt(
        AddressKind.APNS, now=clock.now(), address=address, environment=Environment.SANDBOX
    )
    here = replace(there, environment=Environment.PRODUCTION)

    outcomes = await apns.send([here, there])

    assert [outcome.verdict for outcome in outcomes] == [Verdict.TOKEN_SUSPECT, Verdict.ACCEPTED]
    assert [each.environment for each in sandbox.arrivals.after()] == ["sandbox"]


async def test_what_apns_is_told_follows_urgency_expiry_and_collapse_key(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    content = Content(
        "t", "b", data={"k": "v"}, link="app://c/1", thread="c1", category="chat", badge=0
    )
    chat = push(clock, content=content, collapse_key="c1")
    marketing = push(clock, urgency=Urgency.MARKETING, collapse_key="x" * 65)

    await apns.send([chat])
    await apns.send([marketing])

    first, second = sandbox.arrivals.after()
    assert first.headers == {
        "apns-topic": sandbox.files.topic,
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": str(int(chat.expires_at.timestamp())),
        "apns-collapse-id": "c1",
    }
    assert msgspec.json.decode(first.payload) == {
        "k": "v",
        "push_id": str(chat.push_id),
        "link": "app://c/1",
        "thread": "c1",
        "aps": {
            "alert": {"title": "t", "body": "b"},
            "sound": "default",
            "badge": 0,
            "thread-id": "c1",
            "category": "chat",
        },
    }
    assert second.headers["apns-priority"] == "5"
    assert len(second.headers["apns-collapse-id"]) == 64
    assert msgspec.json.decode(second.payload)["aps"]["interruption-level"] == "passive"


async def test_arabic_travels_as_utf_8_and_not_as_escapes(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    # 1,900 letters are 3,800 bytes; as \uXXXX they would be 11,400 and too many.
    await apns.send([push(clock, body="غ" * 1900)])

    [arrival] = sandbox.arrivals.after()
    assert arrival.body == "غ" * 1900


@pytest.mark.parametrize(
    "content",
    [
        Content("t", "b", data={"aps": "x"}),
        Content("t", "غ" * 2100),
        Content("t", "half a character: \ud83d"),
    ],
    ids=["aps", "too big", "lone surrogate"],
)
async def test_a_poisoned_push_is_rejected_alone_and_without_asking_the_provider(
    content: Content, apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    outcomes = await apns.send([push(clock, content=content), push(clock)])

    assert [outcome.verdict for outcome in outcomes] == [Verdict.REJECTED, Verdict.ACCEPTED]
    assert sandbox.arrivals.total == 1


@pytest.mark.parametrize("address", ["zz", "../../x", "ab cd", "a" * 201, "ab\r\nx: y"])
async def test_a23_what_is_no_address_never_reaches_the_path(
    address: str, apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    [outcome] = await apns.send([replace(push(clock), address=address)])

    assert outcome == Outcome(Verdict.TOKEN_SUSPECT, "BadDeviceToken")
    assert sandbox.counts()["apns_connections"] == 0


async def test_a_collapse_key_that_no_header_can_carry_is_digested(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    await apns.send([push(clock, collapse_key="عرس\r\n")])

    [arrival] = sandbox.arrivals.after()
    assert len(arrival.headers["apns-collapse-id"]) == 64


async def test_marketing_has_connections_of_its_own(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    await apns.send([push(clock)])
    chat_only = sandbox.counts()["apns_connections"]

    await apns.send([push(clock, urgency=Urgency.MARKETING)])

    assert sandbox.counts()["apns_connections"] == chat_only + 1


async def test_an_unreachable_provider_has_certainly_not_seen_the_push(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    # Port 9 is "discard"; nothing listens there.
    options = replace(apns_options(sandbox), production="localhost:9")
    async with open_apns(options, clock=clock) as apns:
        outcomes = [*await apns.send([push(clock)]), *await apns.send([push(clock)])]

    assert {outcome.verdict for outcome in outcomes} == {Verdict.NOT_SENT}
    assert outcomes[1].retry_after is not None


async def test_a_certificate_nobody_vouches_for_is_not_trusted(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    async with open_apns(replace(apns_options(sandbox), ca_file=""), clock=clock) as apns:
        [outcome] = await apns.send([push(clock)])

    assert outcome.verdict is Verdict.NOT_SENT
    assert "certificate" in outcome.reason.lower()


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Verdict.REJECTED),
        (403, Verdict.MISCONFIGURED),
        (410, Verdict.TOKEN_GONE),
        (418, Verdict.REJECTED),
        (429, Verdict.THROTTLED),
        (502, Verdict.FAILED),
    ],
)
def test_a_reason_nobody_foresaw_is_read_by_its_status(status: int, verdict: Verdict) -> None:
    outcome = outcome_of(Answer(status=status, reason="Novel", timestamp=10**30), now=START)

    assert (outcome.verdict, outcome.reason) == (verdict, "Novel")
    assert outcome.invalid_since is None


def test_options_that_cannot_work_are_refused() -> None:
    for wrong in (
        {"production": "api.push.apple.com"},
        {"sandbox": ":443"},
        {"key_file": "key.p8"},
        {"connections": 0},
        {"streams": 0},
        {"connect_within": 20.0},
    ):
        with pytest.raises(ValueError, match=r"must be|needs"):
            ApnsOptions(**wrong)  # type: ignore[arg-type]


async def test_a_key_that_a_new_connection_does_not_take_either_is_wrong(
    apns: ApnsProvider, clock: ManualClock
) -> None:
    first = push(clock, asks="UnrelatedKeyIdInToken")

    outcomes = await apns.send([first]) + await apns.send([replace(first, number=2)])

    assert [each.verdict for each in outcomes] == [Verdict.NOT_SENT, Verdict.MISCONFIGURED]
