"""A whole connection, whatever its client does: documented answers and codes, and nothing else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.protocol.frames import Command, Request
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import (
    ConnectRequest,
    HistoryRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    RPCRequest,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from messaging.protocol.values import StreamPosition
from tests.fuzz.conversation import Kind, Step, frame, playing, written
from tests.fuzz.corpus import seeds
from tests.fuzz.stage import CHANNEL, CONVERSATION, FORGED, SHORT, STALE, TICKET, TOKEN
from tests.fuzz.talks import Talk
from tests.messaging.protocol.values import commands

Play = Callable[[bytes], Talk]


few_bytes = st.binary(max_size=60)


def _fragments(message: bytes, at: int) -> list[Step]:
    """The same message in three pieces, with a ping between them."""
    one, two = sorted((at % (len(message) + 1), 2 * at % (len(message) + 1)))
    return [
        Step(Kind.BEGIN, message[:one]),
        Step(Kind.PING),
        Step(Kind.MORE, message[one:two]),
        Step(Kind.END, message[two:]),
    ]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with playing(tmp_path_factory.mktemp("stage")) as play:
        yield play


@pytest.fixture(scope="module")
def play_on_sockets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with playing(tmp_path_factory.mktemp("stage"), sockets=True) as play:
        yield play


channels = st.sampled_from(
    [CHANNEL, CHANNEL, "open:1", "open:1", "$open:1", "passing:1", "user:karim", "no:1", "x" * 256]
)
positions = st.builds(StreamPosition, st.integers(0, 9), st.sampled_from(["", "_", "e"]))
bodies = st.integers(0, 9).map(
    lambda number: (
        b'{"conversation_id":"%b","body":{},"idempotency_key":"%d"}'
        % (CONVERSATION.encode(), number)
    )
)


def sensible(data: st.SearchStrategy[bytes]) -> st.SearchStrategy[Request]:
    """What a client may ask for, whether or not it gets it."""
    return st.one_of(
        st.builds(
            SubscribeRequest,
            channels,
            token=st.sampled_from(["", "", TICKET, TOKEN, FORGED]),
            recover=st.booleans(),
            offset=st.integers(0, 9),
            epoch=st.sampled_from(["", "_", "e"]),
            flag=st.integers(0, 3),
            delta=st.sampled_from(["", "fossil"]),
            join_leave=st.booleans(),
            positioned=st.booleans(),
            recoverable=st.booleans(),
        ),
        st.builds(UnsubscribeRequest, channels),
        st.builds(PublishRequest, channels, data),
        st.builds(PresenceRequest, channels),
        st.builds(PresenceStatsRequest, channels),
        st.builds(
            HistoryRequest, channels, st.integers(-2, 9), st.none() | positions, st.booleans()
        ),
        st.builds(RPCRequest, st.sampled_from(["messages.history", "conversations.list"]), data),
        st.builds(RPCRequest, st.just("messages.send"), bodies),
        st.builds(SubRefreshRequest, channels, st.sampled_from(["", TICKET, TOKEN, "x"])),
        st.builds(RefreshRequest, st.sampled_from([TOKEN, SHORT])),
    )


rare = st.one_of(
    st.builds(RefreshRequest, st.sampled_from([STALE, FORGED, ""])),
    st.builds(SendRequest, st.just(b"{}")),
    st.builds(ConnectRequest, token=st.just(TOKEN)),
)


@st.composite
def conversations(draw: Any) -> bytes:
    """What clients do, most of it sensible for a while, and then anything."""
    codec = draw(st.sampled_from([JSON, PROTOBUF]))
    ids = st.integers(1, 30)

    def messages(some: st.SearchStrategy[Command]) -> st.SearchStrategy[bytes]:
        return st.lists(some.map(codec.encode_command), min_size=1, max_size=4).map(codec.join)

    data = st.sampled_from([b"", b"{}", b"[1]", b"[" * 64 + b"]" * 64, *(codec.binary * [b"{"])])
    good = messages(st.builds(Command, ids, sensible(data)))
    bad = messages(st.builds(Command, ids, rare) | commands) | st.binary(max_size=40)
    cut = st.builds(
        lambda whole, at: frame(whole, 1)[: at % (len(whole) + 8)], bad, st.integers(0, 99)
    )
    quiet = [Kind.PING, Kind.PONG, Kind.WAIT, Kind.STOP_READING, Kind.READ_ON, Kind.SETTLE]
    mannered = st.one_of(
        st.builds(lambda message: [Step(Kind.MESSAGE, message)], good | st.just(codec.pong)),
        st.builds(_fragments, good, st.integers(0, 99)),
        st.builds(lambda kind, content: [Step(kind, content)], st.sampled_from(quiet), few_bytes),
    )
    wild = st.one_of(
        st.builds(Step, st.just(Kind.MESSAGE), bad),
        st.builds(Step, st.just(Kind.BYTES), cut),
        st.builds(Step, st.sampled_from([*Kind]), st.binary(max_size=130)),
    )
    opening = draw(st.sampled_from([TOKEN] * 5 + [SHORT, STALE, FORGED]))
    connect = codec.encode_command(Command(1, ConnectRequest(token=opening)))
    steps = [
        Step(Kind.MESSAGE, connect),
        *(step for some in draw(st.lists(mannered, max_size=12)) for step in some),
        *draw(st.lists(wild, max_size=4)),
    ]
    return written(steps[draw(st.integers(0, 9)) == 9 :], binary=codec.binary)


@settings(max_examples=200)
@given(data=conversations())
def test_no_conversation_ends_in_anything_but_documented_words(play: Play, data: bytes) -> None:
    play(data)


@settings(max_examples=100)
@given(data=st.binary(max_size=600))
def test_no_bytes_at_all_do(play: Play, data: bytes) -> None:
    play(data)


def test_what_the_official_clients_did_ends_well(play: Play) -> None:
    for seed in seeds("connection"):
        talk = play(seed)
        assert talk.judge.replies
        assert talk.judge.close_code in (None, 1000)


@settings(max_examples=50)
@given(data=conversations())
def test_no_conversation_does_over_a_real_socket(play_on_sockets: Play, data: bytes) -> None:
    play_on_sockets(data)
