"""What may be registered as a browser's subscription."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from notifications.subscriptions import subscription_of

P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"


def said(endpoint="https://push.example.net/p/1", p256dh=P256DH, auth=AUTH, **more):
    return json.dumps({"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}, **more})


def test_a_subscription_has_one_spelling_however_it_was_written():
    plain = subscription_of(said())
    padded = subscription_of(said(p256dh=P256DH + "=", auth=AUTH + "==", expirationTime=None))

    assert plain == padded
    assert subscription_of(plain.text) == plain
    assert " " not in plain.text


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://push.example.net/p", "https://push.example.net"),
        ("https://push.example.net:443/p", "https://push.example.net"),
        ("https://PUSH.example.net:8443/p?q=1", "https://push.example.net:8443"),
    ],
)
def test_its_origin_is_what_the_sender_proves_itself_to(endpoint, origin):
    assert subscription_of(said(endpoint)).origin == origin


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example.net/p",
        "ftp://push.example.net/p",
        "https:///p",
        "https://user@push.example.net/p",
        "https://push.example.net@evil.example/p",
        "https://push.example.net\\@evil.example/p",
        "https://push.example.net/p#x",
        "https://127.0.0.1/p",
        "https://2130706433/p",
        "https://0x7f.1/p",
        "https://127.1/p",
        "https://0177.0.0.1./p",
        "https://[::1]/p",
        "https://[::ffff:127.0.0.1]/p",
        "https://push.example.net:99999/p",
        "https://push.example.net/p\r\nX: y",
        "https://pu sh.example.net/p",
        "https://push.example.net/" + "x" * 2100,
    ],
)
def test_an_endpoint_that_no_browser_gives_out_is_refused(endpoint):
    with pytest.raises(InvalidInput):
        subscription_of(said(endpoint))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "not json",
        said(p256dh=""),
        said(p256dh="A" * 87),
        said(p256dh=P256DH[:-4]),
        said(auth=""),
        said(auth="AAAA"),
        said(auth="!!!!"),
        "\ud83d",
    ],
)
def test_what_is_no_subscription_is_refused(text):
    with pytest.raises(InvalidInput):
        subscription_of(text)


@given(st.text())
def test_no_text_does_more_than_be_refused(text):
    with pytest.raises(InvalidInput):
        subscription_of(text)


@given(st.text(max_size=60))
def test_no_host_does_more_than_be_refused(host):
    try:
        found = subscription_of(said(f"https://{host}/p"))
    except InvalidInput:
        return
    assert found.origin.startswith("https://")
