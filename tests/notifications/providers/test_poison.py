"""Whatever a push says, each adapter words it or refuses it: a poisoned payload fails alone.

What a claim holds is handed to an adapter together, so anything else that was raised for one of
them would leave all of them in doubt.
"""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from google.auth.credentials import AnonymousCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from notifications.adapters import webpush_message
from notifications.adapters.apns_message import BadAddress, request_of
from notifications.adapters.fcm_message import FcmApi, message_of
from notifications.adapters.push_content import Unsendable
from notifications.contents.android import ANDROID, ANDROID_NOTIFICATION
from notifications.contents.apple import ALERT, APPLE
from notifications.contents.web import OPTIONS
from notifications.types import Action, AddressKind, Content, PushKind
from tests.support.sandbox import attempt

NOW = datetime(2026, 3, 1, tzinfo=UTC)

words = st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words


def block(names):
    """Anything that a block of JSON may hold, most of it under names that mean something."""
    values = st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(sorted(names)) | words, inner, max_size=3)
        ),
        max_leaves=5,
    )
    return st.dictionaries(st.sampled_from(sorted({*names, "data"})) | words, values, max_size=4)


contents = st.builds(
    Content,
    title=words,
    body=words,
    data=st.dictionaries(words, words, max_size=3),
    link=words,
    thread=words,
    category=words,
    badge=st.none() | st.integers(),
    kind=st.sampled_from(PushKind),
    image=words,
    label=words,
    apple=block({*ALERT, *(name for each in APPLE.values() for name in each)}),
    android=block({*ANDROID, *ANDROID_NOTIFICATION}),
    web=block(OPTIONS),
    actions=st.lists(st.builds(Action, words, words, words), max_size=2).map(tuple),
    apple_priority=st.integers(),
    live_activity_token=words,
)


@pytest.fixture(scope="module")
def api():
    return FcmApi(credentials=AnonymousCredentials())


def said(kind, content):
    return attempt(kind, now=NOW, content=content, collapse_key=content.thread)


@given(contents)
@example(Content("", "", android={"data": 1}))
@example(Content("", "", android={"data": {"a": 1}}))
@example(Content("", "", web={"data": [1]}))
def test_fcm_is_told_it_or_it_is_refused(api, content):
    with suppress(Unsendable):
        assert message_of(said(AddressKind.FCM_TOKEN, content), api=api, now=NOW)


@given(contents)
@example(Content("", "", apple={"interruption-level": []}))
@example(Content("", "", kind=PushKind.LIVE_ACTIVITY, apple={"event": {}}))
def test_apns_is_told_it_or_it_is_refused(content):
    with suppress(Unsendable, BadAddress):
        request = request_of(said(AddressKind.APNS, content), topic="app")
        assert request.head(authority=b"localhost", authorization=b"bearer")


@given(contents)
@example(Content("", "", web={"data": 1}))
def test_a_push_service_is_told_it_or_it_is_refused(content):
    with suppress(Unsendable):
        assert webpush_message.message_of(said(AddressKind.WEBPUSH, content))
