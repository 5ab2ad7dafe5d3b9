"""Whom FCM can address, and everything its messages can say."""

import msgspec
import pytest

from kernel.notices import Urgency
from notifications.adapters.fcm import FcmProvider
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Content, Outcome, PushKind, Verdict
from tests.support.clock import ManualClock
from tests.support.sandbox import attempt

CONDITION = "'brides' in topics && ('oran' in topics || !('algiers' in topics))"


@pytest.mark.parametrize(
    ("kind", "address", "field"),
    [
        (AddressKind.FCM_TOKEN, "sandbox-phone", "token"),
        (AddressKind.FCM_FID, "cEnCPq9PQYGm_lGq6c5ZtW", "fid"),
        (AddressKind.FCM_TOPIC, "weddings-2026", "topic"),
        (AddressKind.FCM_CONDITION, CONDITION, "condition"),
    ],
)
async def test_each_kind_of_address_is_addressed_by_its_own_field(
    kind: AddressKind,
    address: str,
    field: str,
    fcm: FcmProvider,
    sandbox: Sandbox,
    clock: ManualClock,
) -> None:
    [outcome] = await fcm.send([attempt(kind, now=clock.now(), address=address)])

    message = msgspec.json.decode(sandbox.arrivals.after()[0].payload)["message"]
    assert outcome.verdict is Verdict.ACCEPTED
    assert {each for each in ("token", "fid", "topic", "condition") if each in message} == {field}
    assert message[field] == address


@pytest.mark.parametrize(
    ("kind", "address", "reason"),
    [
        (AddressKind.FCM_TOPIC, "/topics/weddings", "not a topic"),
        (AddressKind.FCM_TOPIC, "أعراس", "not a topic"),
        (AddressKind.FCM_CONDITION, "brides", "not a condition of 1 to 5 topics"),
        (
            AddressKind.FCM_CONDITION,
            " || ".join(["'a' in topics"] * 6),
            "not a condition of 1 to 5 topics",
        ),
    ],
)
async def test_what_names_no_topic_is_not_sent(
    kind: AddressKind, address: str, reason: str, fcm: FcmProvider, clock: ManualClock
) -> None:
    sent = attempt(kind, now=clock.now(), address=address)

    assert await fcm.send([sent]) == [Outcome(Verdict.REJECTED, reason)]


async def test_a_condition_that_says_nothing_is_refused_by_fcm(
    fcm: FcmProvider, clock: ManualClock
) -> None:
    sent = attempt(AddressKind.FCM_CONDITION, now=clock.now(), address="'a' in topics and 'b'")

    assert await fcm.send([sent]) == [Outcome(Verdict.REJECTED, "INVALID_ARGUMENT")]


async def test_a_topic_carries_half_of_what_a_phone_does(
    fcm: FcmProvider, clock: ManualClock
) -> None:
    content = Content("t", "x" * 2100)
    kinds = {AddressKind.FCM_TOKEN: "sandbox-phone", AddressKind.FCM_TOPIC: "weddings"}

    outcomes = [
        outcome.verdict
        for kind, address in kinds.items()
        for outcome in await fcm.send(
            [attempt(kind, now=clock.now(), address=address, content=content)]
        )
    ]

    assert outcomes == [Verdict.ACCEPTED, Verdict.REJECTED]


async def test_every_field_that_content_has_is_said(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    notification = {
        "icon": "rings",
        "color": "#aa0000",
        "sound": "zaghrouta",
        "click_action": "OPEN",
        "visibility": "PRIVATE",
        "notification_priority": "PRIORITY_HIGH",
        "event_time": "2026-11-26T19:00:00Z",
        "vibrate_timings": ["0.2s"],
        "title_loc_key": "K",
        "title_loc_args": ["a"],
    }
    content = Content(
        "t",
        "b",
        link="https://app.example/c/1",
        category="chat",
        badge=4,
        image="https://i.example/1.png",
        label="autumn-2026",
        android={"restricted_package_name": "app.zaffa", "notification": notification},
        web={"dir": "rtl"},
        apple={"interruption-level": "time-sensitive"},
    )

    await fcm.send([attempt(AddressKind.FCM_TOKEN, now=clock.now(), content=content)])

    message = msgspec.json.decode(sandbox.arrivals.after()[0].payload)["message"]
    assert message["notification"] == {"title": "t", "body": "b", "image": content.image}
    assert message["fcm_options"] == {"analytics_label": "autumn-2026"}
    assert message["android"]["restricted_package_name"] == "app.zaffa"
    assert message["android"]["notification"] == {
        "tag": "conversation-1",
        "channel_id": "chat",
        "notification_count": 4,
        **notification,
    }
    headers = message["webpush"].pop("headers")
    assert (headers["TTL"], headers["Urgency"], len(headers["Topic"])) == ("3600", "high", 32)
    assert message["webpush"] == {
        "notification": {"dir": "rtl"},
        "fcm_options": {"link": content.link},
    }
    assert message["apns"]["payload"]["aps"]["interruption-level"] == "time-sensitive"
    assert message["apns"]["payload"]["aps"]["mutable-content"] == 1
    assert message["apns"]["fcm_options"] == {"image": content.image}


async def test_a_silent_push_has_data_only_and_iphones_are_asked_softly(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    silent = Content("t", "b", kind=PushKind.BACKGROUND, data={"sync": "1"}, image="https://i/1")

    await fcm.send([attempt(AddressKind.FCM_TOKEN, now=clock.now(), content=silent)])

    message = msgspec.json.decode(sandbox.arrivals.after()[0].payload)["message"]
    assert "notification" not in message
    assert "notification" not in message["android"]
    assert message["data"]["sync"] == "1"
    assert message["apns"]["headers"]["apns-push-type"] == "background"
    assert message["apns"]["headers"]["apns-priority"] == "5"
    assert message["apns"]["payload"] == {"aps": {"content-available": 1}}


@pytest.mark.parametrize(
    ("urgency", "priority"),
    [
        (Urgency.INTERACTIVE, "HIGH"),
        (Urgency.TRANSACTIONAL, "HIGH"),
        (Urgency.MARKETING, "NORMAL"),
    ],
)
async def test_priority_and_time_to_live_follow_the_push(
    urgency: Urgency, priority: str, fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    for never_later in (False, True):
        content = Content("t", "b", now_or_never=never_later)
        await fcm.send(
            [attempt(AddressKind.FCM_TOKEN, now=clock.now(), urgency=urgency, content=content)]
        )

    sent = [msgspec.json.decode(each.payload)["message"] for each in sandbox.arrivals.after()]
    assert [each["android"]["priority"] for each in sent] == [priority] * 2
    assert [each["android"]["ttl"] for each in sent] == ["3600s", "0s"]
    assert sent[1]["apns"]["headers"]["apns-expiration"] == "0"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (Content("t", "b", label="two words"), "label"),
        (Content("t", "b", android={"ttl": "1s"}), "no field of android: ttl"),
        (
            Content("t", "b", android={"notification": {"x": 1}}),
            "no field of android.notification: x",
        ),
        (Content("t", "b", android={"notification": "x"}), "no notification for android"),
        (
            Content("", "", kind=PushKind.BACKGROUND, android={"notification": {"icon": "x"}}),
            "no notification for android",
        ),
        (Content("t", "b", android={"priority": object()}), "not JSON"),
    ],
)
async def test_a_field_that_fcm_does_not_know_is_rejected_alone(
    content: Content, reason: str, fcm: FcmProvider, clock: ManualClock
) -> None:
    good = attempt(AddressKind.FCM_TOKEN, now=clock.now())
    bad = attempt(AddressKind.FCM_TOKEN, now=clock.now(), content=content)

    refused, accepted = await fcm.send([bad, good])

    assert refused == Outcome(Verdict.REJECTED, reason)
    assert accepted.verdict is Verdict.ACCEPTED


ACTIVITY = "ab" * 64
UPDATE = {"timestamp": 1_772_000_000, "event": "update", "content-state": {"guests": 120}}


async def test_a_live_activity_goes_to_its_own_address_beside_the_phones(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    content = Content(
        "",
        "",
        kind=PushKind.LIVE_ACTIVITY,
        apple=UPDATE,
        live_activity_token=ACTIVITY,
        apple_priority=5,
    )

    [outcome] = await fcm.send([attempt(AddressKind.FCM_TOKEN, now=clock.now(), content=content)])

    apns = msgspec.json.decode(sandbox.arrivals.after()[0].payload)["message"]["apns"]
    assert outcome.verdict is Verdict.ACCEPTED
    assert apns["live_activity_token"] == ACTIVITY
    assert apns["headers"]["apns-push-type"] == "liveactivity"
    assert apns["headers"]["apns-priority"] == "5"
    assert apns["payload"]["aps"] == UPDATE


async def test_fcm_refuses_an_activity_whose_address_is_none(
    fcm: FcmProvider, clock: ManualClock
) -> None:
    content = Content(
        "", "", kind=PushKind.LIVE_ACTIVITY, apple=UPDATE, live_activity_token="no address"
    )

    [outcome] = await fcm.send([attempt(AddressKind.FCM_TOKEN, now=clock.now(), content=content)])

    assert outcome.verdict is Verdict.REJECTED


async def test_a_platform_may_have_data_and_a_label_of_its_own(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    content = Content(
        "t",
        "b",
        data={"for": "all"},
        label="all",
        android={"data": {"for": "android"}, "fcm_options": {"analytics_label": "android"}},
        web={"data": {"for": "web"}, "dir": "rtl"},
    )
    sent = attempt(
        AddressKind.FCM_TOKEN, now=clock.now(), content=content, urgency=Urgency.MARKETING
    )

    await fcm.send([sent])

    message = msgspec.json.decode(sandbox.arrivals.after()[0].payload)["message"]
    ours = {"push_id": str(sent.push_id)}
    assert message["data"] == {"for": "all", **ours}
    assert message["android"]["data"] == {"for": "android", **ours}
    assert message["webpush"]["data"] == {"for": "web", **ours}
    assert message["webpush"]["notification"] == {"dir": "rtl"}
    assert message["webpush"]["headers"]["Urgency"] == "low"
    assert message["android"]["fcm_options"] == {"analytics_label": "android"}


async def test_data_of_one_platform_has_no_more_room_than_everybodys(
    fcm: FcmProvider, clock: ManualClock
) -> None:
    for data in ({"k": "v" * 4100}, {"google.x": "v"}):
        content = Content("t", "b", android={"data": data})

        [outcome] = await fcm.send(
            [attempt(AddressKind.FCM_TOKEN, now=clock.now(), content=content)]
        )

        assert outcome.verdict is Verdict.REJECTED
