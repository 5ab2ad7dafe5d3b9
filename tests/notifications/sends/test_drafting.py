"""What a server may ask to be sent, and what is told when it may not."""

from uuid import uuid4

import pytest

from kernel.errors import InvalidInput
from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.sends.drafting import checked
from notifications.sends.types import Audience
from notifications.types import Text
from tests.support.factories_notifications import AMINA
from tests.support.sending import request, to_devices, to_topic

WORDLESS = {"variables": {}}
LIVE = {"kind": "liveactivity"}
ENDED = {"apple": {"event": "end", "timestamp": 1}, "live_activity_token": "ab"}


def about(condition):
    return request(audience=Audience(condition=condition))


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (request(audience=Audience()), "audience"),
        (request(audience=Audience(user_ids=(AMINA,), topic="news")), "audience"),
        (request(*map(UserId, map(str, range(1001)))), "user_ids"),
        (request(UserId("white space")), "user_ids"),
        (to_devices(*(uuid4() for _ in range(1001))), "device_ids"),
        (to_topic("/topics/news"), "topic"),
        (about("'a' in topic"), "condition"),
        (about("'a' in topics || 'b' in topics; DROP"), "condition"),
        (about("('a' in topics"), "condition"),
        (about("'a' in topics)("), "condition"),
        (about(" && ".join(["'a' in topics"] * 6)), "condition"),
        (to_topic("news", content={"badge": 1}), "badge"),
        (
            to_topic("news", variables={}, texts={"fr": Text("t", "b"), "ar": Text("t", "b")}),
            "texts",
        ),
        (request(expires_after=0.0), "expires_after"),
        (request(expires_after=86_401.0), "expires_after"),
        (request(expires_after=1e300), "expires_after"),
        (request(expires_after=3_601.0, urgency=Urgency.INTERACTIVE), "expires_after"),
        (request(expires_after=3_601.0, test=True), "expires_after"),
        (request(data={"google.sent": "v"}), "data.google.sent"),
        (request(data={"push_id": "v"}), "data.push_id"),
        (request(data={"actions": "v"}), "data.actions"),
        (request(data={"": "v"}), "data."),
        (request(texts={"?": Text("t", "b")}), "locale"),
        (request(variables_of={UserId("karim"): {}}), "variables_of"),
        (request(content={"kind": "background"}), "kind"),
        (request(**WORDLESS, content={"kind": "background", "badge": 1}), "badge"),
        (request(**WORDLESS, content={"kind": "voip", "image": "https://a/b"}), "image"),
        (request(**WORDLESS, content={"kind": "voip", "web": {"tag": "t"}}), "web"),
        (
            request(**WORDLESS, content={"kind": "voip", "android": {"notification": {"tag": ""}}}),
            "android.notification",
        ),
        (request(**WORDLESS, content={"kind": "voip", "apple": {"badge": 1}}), "apple.badge"),
        (request(content={"apple": {"event": "start"}}), "apple.event"),
        (request(content={"apple": {"relevance-score": 2}}), "apple.relevance-score"),
        (request(**WORDLESS, content=LIVE), "apple.event"),
        (request(content={"live_activity_token": "ab"}), "live_activity_token"),
        (request(**WORDLESS, content={**LIVE, **ENDED}), "live_activity_token"),
        (
            to_devices(uuid4(), uuid4(), **WORDLESS, content={**LIVE, **ENDED}),
            "live_activity_token",
        ),
        (
            to_devices(uuid4(), **WORDLESS, content={**LIVE, **ENDED, "live_activity_token": "no"}),
            "live_activity_token",
        ),
        (request(content={"apple_priority": 3}), "apple_priority"),
        (
            request(**WORDLESS, content={"kind": "background", "apple_priority": 10}),
            "apple_priority",
        ),
        (request(content={"android": {"data": {"push_id": "v"}}}), "android.data.push_id"),
        (request(content={"web": {"data": {"google.x": "v"}}}), "web.data.google.x"),
        (request(**WORDLESS, content={**LIVE, "apple": {"event": "end"}}), "apple.timestamp"),
        (
            request(**WORDLESS, content={**LIVE, "apple": {"event": "start", "timestamp": 1}}),
            "apple.attributes-type",
        ),
        (request(content={"badge": 2**31}), "badge"),
        (request(content={"image": "http://a/b"}), "image"),
        (request(content={"label": "a b"}), "label"),
    ],
)
def test_what_could_not_be_sent_is_refused_by_the_name_of_the_field(asked, field):
    with pytest.raises(InvalidInput) as caught:
        checked(asked)

    assert caught.value.details["field"] == field


@pytest.mark.parametrize(
    "condition",
    [
        "'a' in topics",
        "'a' in topics && ('b' in topics || !('c' in topics))",
        "('a' in topics && 'b' in topics) || ('c' in topics && 'd' in topics)",
    ],
)
def test_conditions_as_fcm_knows_them_are_taken(condition):
    assert checked(about(condition)).audience.condition == condition


def test_whom_it_names_twice_is_told_once():
    assert checked(request(AMINA, AMINA)).audience.user_ids == (AMINA,)


def test_a_silent_push_needs_no_words():
    asked = checked(request(**WORDLESS, content={"kind": "background"}))

    assert list(asked.texts.values()) == [Text("", "")]
