"""A client that asks for deltas hears whole publications all the same."""

import msgspec
import pytest

from messaging.protocol import fossil
from messaging.protocol.client import WHOLE_BYTES
from messaging.protocol.codes import ProtocolViolation
from messaging.protocol.frames import Command, Push, Reply
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import SubscribeRequest
from messaging.protocol.results import SubscribeResult
from messaging.protocol.values import Publication, StreamPosition
from tests.messaging.protocol.test_client import STREAM, connected, hear, said, subscribed

both = pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=lambda codec: codec.name)

ONE = b'{"guests":["Amina","Karim","Yacine","Sara"],"table":12}'
TWO = b'{"guests":["Amina","Karim","Yacine","Sara"],"table":14}'
DELTAS = msgspec.structs.replace(STREAM, delta=True)


def whole(codec, data, offset):
    return Publication(codec.quoted(data), offset=offset)


def changed(codec, before, after, offset):
    return Publication(codec.quoted(fossil.delta(before, after)), offset=offset, delta=True)


def asked(codec, result=DELTAS, *, positions=None):
    client = connected(codec, positions=positions)
    id = client.subscribe("chat", delta=True)
    [answered] = hear(client, Reply(id, result))
    return client, answered.result


def test_deltas_are_asked_for_by_their_name():
    client = connected()

    client.subscribe("chat", delta=True)

    assert said(client) == [Command(2, SubscribeRequest("chat", flag=1, delta="fossil"))]


@both
def test_what_changed_is_reported_whole(codec):
    client, _ = asked(codec)

    heard = hear(
        client,
        Push(whole(codec, ONE, 6), "chat"),
        Push(changed(codec, ONE, TWO, 7), "chat"),
        Push(changed(codec, TWO, ONE, 8), "chat"),
    )

    assert [push.event for push in heard] == [
        Publication(ONE, offset=6), Publication(TWO, offset=7), Publication(ONE, offset=8)
    ]  # fmt: skip


@both
def test_what_was_missed_is_the_beginning_of_the_chain(codec):
    recovered = SubscribeResult(
        recoverable=True,
        positioned=True,
        epoch="e",
        offset=5,
        recovered=True,
        was_recovering=True,
        delta=True,
        publications=(whole(codec, ONE, 6), changed(codec, ONE, TWO, 7)),
    )
    client, result = asked(codec, recovered, positions={"chat": StreamPosition(5, "e")})

    [live] = hear(client, Push(changed(codec, TWO, ONE, 8), "chat"))

    assert [each.data for each in result.publications] == [ONE, TWO]
    assert live.event.data == ONE


@both
def test_a_server_may_decline(codec):
    client, _ = asked(codec, STREAM)

    [live] = hear(client, Push(Publication(ONE, offset=6), "chat"))

    assert live.event.data == ONE


@both
def test_a_chain_that_begins_with_a_change_is_a_violation(codec):
    client, _ = asked(codec)

    with pytest.raises(ProtocolViolation, match="no whole one"):
        hear(client, Push(changed(codec, ONE, TWO, 6), "chat"))


@both
def test_a_change_that_nobody_asked_for_is_a_violation(codec):
    with pytest.raises(ProtocolViolation, match="has none"):
        hear(subscribed(codec), Push(changed(codec, ONE, TWO, 6), "chat"))
    with pytest.raises(ProtocolViolation, match="nobody asked"):
        subscribed(codec, result=DELTAS)


def test_data_that_is_not_quoted_is_a_violation():
    client, _ = asked(JSON)

    with pytest.raises(ProtocolViolation, match="no text"):
        hear(client, Push(Publication(ONE, offset=6), "chat"))


def test_a_change_that_makes_too_much_is_a_violation():
    client, _ = asked(PROTOBUF)
    much = fossil.delta(ONE, b"x" * (WHOLE_BYTES + 1))[:8]

    with pytest.raises(ProtocolViolation, match="more than is allowed"):
        hear(
            client,
            Push(whole(PROTOBUF, ONE, 6), "chat"),
            Push(Publication(much, offset=7, delta=True), "chat"),
        )
