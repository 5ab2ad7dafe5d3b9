"""What APNs is told about each kind of push: topic, type, priority, expiry, payload."""

from dataclasses import replace

import msgspec
import pytest

from kernel.notices import Urgency
from notifications.adapters.apns import ApnsProvider
from notifications.adapters.apns_message import VOIP_BYTES
from notifications.adapters.push_content import PAYLOAD_BYTES
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Content, Outcome, PushKind, Verdict
from notifications.vitals import Vitals
from tests.support.clock import ManualClock
from tests.support.sandbox import attempt

UPDATE = {"timestamp": 1_772_000_000, "event": "update", "content-state": {"guests": 120}}
START = UPDATE | {"event": "start", "attributes-type": "Wedding", "attributes": {"hall": "زفة"}}


@pytest.mark.parametrize(
    ("kind", "suffix", "apple", "aps"),
    [
        (PushKind.ALERT, "", {}, {"alert": {"title": "t", "body": "b"}, "sound": "default"}),
        (PushKind.BACKGROUND, "", {}, {"content-available": 1}),
        (PushKind.VOIP, ".voip", {}, {}),
        (PushKind.COMPLICATION, ".complication", {}, {}),
        (PushKind.FILE_PROVIDER, ".pushkit.fileprovider", {}, {}),
        (PushKind.LOCATION, ".location-query", {}, {}),
        (PushKind.LIVE_ACTIVITY, ".push-type.liveactivity", UPDATE, UPDATE),
        (PushKind.LIVE_ACTIVITY, ".push-type.liveactivity", START, START),
        (PushKind.PUSH_TO_TALK, ".voip-ptt", {}, {}),
        (PushKind.WIDGETS, ".push-type.widgets", {}, {"content-changed": True}),
        (PushKind.CONTROLS, ".push-type.controls", {}, {"content-changed": True}),
    ],
)
async def test_each_kind_has_its_topic_type_and_payload(
    kind: PushKind,
    suffix: str,
    apple: dict[str, object],
    aps: dict[str, object],
    apns: ApnsProvider,
    sandbox: Sandbox,
    clock: ManualClock,
) -> None:
    content = Content("t", "b", kind=kind, apple=apple)

    [outcome] = await apns.send([attempt(AddressKind.APNS, now=clock.now(), content=content)])

    [arrival] = sandbox.arrivals.after()
    assert outcome.verdict is Verdict.ACCEPTED
    assert arrival.headers["apns-topic"] == sandbox.files.topic + suffix
    assert arrival.headers["apns-push-type"] == kind
    assert arrival.headers["apns-priority"] == ("5" if kind is PushKind.BACKGROUND else "10")
    assert msgspec.json.decode(arrival.payload)["aps"] == aps


async def test_now_or_never_is_an_expiration_of_0(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    """A22: aioapns makes an instant of it, and the phone would ring when the call is over."""
    call = Content("", "", kind=PushKind.VOIP, now_or_never=True)

    await apns.send([attempt(AddressKind.APNS, now=clock.now(), content=call)])

    assert sandbox.arrivals.after()[0].headers["apns-expiration"] == "0"


async def test_every_key_of_an_alert_can_be_said(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    own = {
        "alert": {"subtitle": "s", "title-loc-key": "K", "title-loc-args": ["a"]},
        "badge": 3,
        "sound": {"critical": 1, "name": "bell.caf", "volume": 0.5},
        "thread-id": "other",
        "category": "invitation",
        "mutable-content": 1,
        "target-content-id": "window-1",
        "interruption-level": "time-sensitive",
        "relevance-score": 0.7,
        "filter-criteria": "work",
    }
    content = Content("t", "b", thread="c1", image="https://i.example/1.png", apple=own)

    await apns.send([attempt(AddressKind.APNS, now=clock.now(), content=content)])

    payload = msgspec.json.decode(sandbox.arrivals.after()[0].payload)
    assert payload["aps"] == own | {"alert": {"title": "t", "body": "b", **own["alert"]}}  # type: ignore[dict-item]
    assert payload["image"] == "https://i.example/1.png"


@pytest.mark.parametrize(
    ("kind", "apple", "reason"),
    [
        (PushKind.ALERT, {"event": "update"}, "no key of aps for alert: event"),
        (PushKind.ALERT, {"alert": {"colour": "red"}}, "no key of an alert: colour"),
        (PushKind.ALERT, {"interruption-level": "loud"}, "interruption-level"),
        (PushKind.ALERT, {"relevance-score": 1.5}, "relevance-score"),
        (PushKind.ALERT, {"relevance-score": True}, "relevance-score"),
        (PushKind.BACKGROUND, {"alert": "x"}, "no key of aps for background: alert"),
        (PushKind.VOIP, {"badge": 1}, "no key of aps for voip: badge"),
        (PushKind.LIVE_ACTIVITY, {}, "a live activity needs event and timestamp"),
        (
            PushKind.LIVE_ACTIVITY,
            UPDATE | {"event": "x"},
            "a live activity needs event and timestamp",
        ),
        (
            PushKind.LIVE_ACTIVITY,
            UPDATE | {"event": "start"},
            "a live activity starts with attributes",
        ),
        (PushKind.ALERT, {"sound": object()}, "not JSON"),
    ],
)
async def test_what_a_phone_would_drop_without_a_word_is_rejected_alone(
    kind: PushKind,
    apple: dict[str, object],
    reason: str,
    apns: ApnsProvider,
    clock: ManualClock,
) -> None:
    good = attempt(AddressKind.APNS, now=clock.now())
    bad = replace(good, content=Content("t", "b", kind=kind, apple=apple))

    refused, accepted = await apns.send([bad, good])

    assert refused == Outcome(Verdict.REJECTED, reason)
    assert accepted.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("kind", "limit"), [(PushKind.ALERT, PAYLOAD_BYTES), (PushKind.VOIP, VOIP_BYTES)]
)
async def test_a_call_may_carry_more_than_anything_else(
    kind: PushKind, limit: int, apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    def of(size: int) -> Content:
        return Content("t", "b", kind=kind, data={"k": "x" * size})

    await apns.send([attempt(AddressKind.APNS, now=clock.now(), content=of(0))])
    room = limit - len(sandbox.arrivals.after()[0].payload)
    fits, too_long = await apns.send(
        [
            attempt(AddressKind.APNS, now=clock.now(), content=of(room)),
            attempt(AddressKind.APNS, now=clock.now(), content=of(room + 1)),
        ]
    )

    assert fits.verdict is Verdict.ACCEPTED
    assert too_long == Outcome(Verdict.REJECTED, f"payload of {limit + 1} bytes")


async def test_what_wakes_an_app_is_never_urgent(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    silent = Content("", "", kind=PushKind.BACKGROUND)
    for urgency in Urgency:
        await apns.send(
            [attempt(AddressKind.APNS, now=clock.now(), urgency=urgency, content=silent)]
        )

    assert [each.headers["apns-priority"] for each in sandbox.arrivals.after()] == ["5"] * 3


async def test_a_live_activity_goes_to_its_own_address_and_with_the_priority_it_was_given(
    apns: ApnsProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    content = Content(
        "",
        "",
        kind=PushKind.LIVE_ACTIVITY,
        apple=UPDATE,
        live_activity_token="cd" * 64,
        apple_priority=5,
    )

    [outcome] = await apns.send([attempt(AddressKind.APNS, now=clock.now(), content=content)])

    [arrival] = sandbox.arrivals.after()
    assert outcome.verdict is Verdict.ACCEPTED
    assert (arrival.address, arrival.headers["apns-priority"]) == ("cd" * 64, "5")


async def test_connections_and_what_the_provider_lets_be_under_way_are_told(
    apns: ApnsProvider, clock: ManualClock
) -> None:
    assert apns.vitals == Vitals()

    await apns.send([attempt(AddressKind.APNS, now=clock.now())])

    vitals = apns.vitals
    assert vitals.connections == 1
    assert vitals.slots > 1
    assert (vitals.waiting, vitals.drained) == (0, 0)
