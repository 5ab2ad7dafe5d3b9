"""Watching a user or a channel: everything is seen, nothing secret, and it ends by itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Publication
from kernel.errors import Denied, InvalidInput, Unavailable
from kernel.identity import Principal, Scope
from kernel.ids import UserId, new_id
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.errors import TooManyTraces
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.requests import PublishRequest, RefreshRequest
from messaging.tracing.events import SHOWN_BYTES, EventKind, answers_in, commands_in, shown
from messaging.tracing.news import Begin, news_of, to_all
from messaging.tracing.routes import Watch, operations
from messaging.tracing.tracer import AT_ONCE as TRACES_OF_A_NODE
from messaging.tracing.tracer import EVENTS_BURST, SILENCE, Tracer
from messaging.tracing.traces import AT_ONCE, Tracing
from tests.support.clock import START
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import PATIENCE, Node, channel_of, serving, talking

OPERATOR = Principal(key_id=new_id(START), scopes=frozenset({Scope.OPERATE}))
NEWS = ChannelSettings(
    namespaces={
        "news": ChannelOptions(
            allow_subscribe_for_client=True,
            allow_publish_for_client=True,
            presence=True,
            join_leave=True,
            force_push_join_leave=True,
        )
    }
)


@dataclass
class Watched:
    """A node with what traces it, and what asks all nodes."""

    node: Node
    leaving: bool = False

    def __post_init__(self) -> None:
        node = self.node
        self.tracer = Tracer(
            node_id=node.node_id,
            roster=node.hub.roster,
            departures=node.departures,
            bus=node.bus,
            clock=node.clock,
            metrics=node.metrics,
        )
        self.tracing = Tracing(node_id=node.node_id, bus=node.bus, clock=node.clock)
        self.tracing.serve(leaving=lambda: self.leaving)
        node.hub.confidants += [self.tracer.take, self.tracing.take]

    def watch(self, *, seconds: float = PATIENCE, **what: Any) -> AsyncIterator[Any]:
        asked = {"user_id": None, "channel": "", **what}
        return self.tracing.watch(**asked, seconds=seconds, by=OPERATOR)


@dataclass
class Seen:
    """What a trace showed so far."""

    events: list[Any] = field(default_factory=list)

    def kinds(self) -> list[str]:
        return [str(each.kind) for each in self.events]

    def of(self, kind: EventKind) -> list[Any]:
        return [each for each in self.events if each.kind is kind]


@pytest.fixture
async def nodes(sqlite_database, bus) -> AsyncIterator[list[Watched]]:
    """Two nodes on one bus."""
    async with AsyncExitStack() as opened:
        built = []
        for _ in range(2):
            watched = Watched(Node(sqlite_database, bus=bus, channel_settings=NEWS))
            workers = [*watched.node.workers, watched.tracer]
            await opened.enter_async_context(serving(watched.node, workers=workers))
            built.append(watched)
        yield built


class Watching:
    """Watches in the background, from when all nodes know of it."""

    def __init__(self, watched: Watched, nodes: list[Watched], **what: Any) -> None:
        self.seen = Seen()
        self._events = watched.watch(**what)
        self._nodes = nodes

    async def __aenter__(self) -> Seen:
        self._task = asyncio.create_task(self._read())
        for each in self._nodes:
            await each.node.until(lambda each=each: each.node.departures.tap is not None)
        return self.seen

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _read(self) -> None:
        async with aclosing(self._events):
            async for event in self._events:
                self.seen.events.append(event)


# --- a user ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=["json", "protobuf"])
async def test_everything_a_user_says_and_hears_is_seen_on_any_node(nodes, codec):
    here, there = nodes
    conversation = await there.node.conversation(AMINA, KARIM)
    channel = channel_of(conversation)
    async with Watching(here, nodes, user_id=AMINA) as seen:
        async with talking(there.node, AMINA, codec=codec) as amina:
            await amina.subscribe(channel)
            await there.node.say(conversation, KARIM, "salam")
            await amina.until(lambda: amina.offsets(channel))
            await amina.rpc("conversations.list", b'{"limit":3}')
            await amina.answer(amina.protocol.unsubscribe(channel))
        await here.node.until(lambda: EventKind.LEFT in seen.kinds())

    assert {each.node for each in seen.events} == {there.node.node_id}
    assert {each.user_id for each in seen.events} == {AMINA}
    assert seen.kinds()[0] == "connected"
    said = [json.loads(bytes(each.data)) for each in seen.of(EventKind.COMMAND)]
    assert [next(name for name in each if name != "id") for each in said] == [
        "subscribe",
        "rpc",
        "unsubscribe",
    ]
    assert said[1]["rpc"] == {"method": "conversations.list", "data": {"limit": 3}}
    answers = [json.loads(bytes(each.data)) for each in seen.of(EventKind.ANSWER)]
    assert [each["id"] for each in answers if "subscribe" in each or "rpc" in each]
    [push] = seen.of(EventKind.PUSH)
    assert json.loads(bytes(push.data))["push"]["pub"]["data"]["body"] == {"text": "salam"}
    assert [each.channel for each in seen.of(EventKind.SUBSCRIBED)] == [channel]
    assert [each.channel for each in seen.of(EventKind.UNSUBSCRIBED)] == [channel]


async def test_who_was_connected_before_is_seen_from_the_start(nodes):
    here, there = nodes
    async with (
        talking(there.node, AMINA) as amina,
        talking(there.node, KARIM) as karim,
        Watching(here, nodes, user_id=AMINA) as seen,
    ):
        await karim.rpc("conversations.list")
        await amina.rpc("conversations.list")
        await here.node.until(lambda: EventKind.ANSWER in seen.kinds())

    assert seen.kinds()[:3] == ["connected", "command", "answer"]
    assert {each.user_id for each in seen.events} == {AMINA}


async def test_why_a_connection_was_closed_is_seen(nodes):
    here, there = nodes
    async with talking(there.node, AMINA) as amina, Watching(here, nodes, user_id=AMINA) as seen:
        [connection] = there.node.hub.roster.of_user(AMINA)
        connection.disconnect(3503)
        await amina.closed()
        await here.node.until(lambda: EventKind.LEFT in seen.kinds())

    [closed] = seen.of(EventKind.CLOSED)
    assert closed.code == 3503


async def test_no_secret_is_shown(nodes):
    here, there = nodes
    token = there.node.token(AMINA, seconds=600)
    async with talking(there.node, AMINA) as amina, Watching(here, nodes, user_id=AMINA) as seen:
        await amina.answer(amina.protocol.request(RefreshRequest(token)))
        await here.node.until(lambda: EventKind.ANSWER in seen.kinds())

    [command] = seen.of(EventKind.COMMAND)
    assert json.loads(bytes(command.data))["refresh"] == {"token": "[redacted]"}
    assert token not in str(seen.events)


# --- a channel ------------------------------------------------------------------------------------


async def test_what_goes_through_a_channel_and_who_comes_is_seen(nodes):
    here, there = nodes
    async with Watching(here, nodes, channel="news:1") as seen:
        async with talking(there.node, AMINA) as amina, talking(here.node, KARIM) as karim:
            await amina.subscribe("news:1")
            for channel, data in (("news:1", b'{"goal":1}'), ("news:2", b'{"goal":2}')):
                await karim.answer(karim.protocol.request(PublishRequest(channel, data)))
            await here.node.until(lambda: EventKind.PUBLICATION in seen.kinds())
        await here.node.until(lambda: EventKind.UNSUBSCRIBED in seen.kinds())
        await here.node.until(lambda: EventKind.LEAVE in seen.kinds())

    [publication] = seen.of(EventKind.PUBLICATION)
    assert (bytes(publication.data), publication.user_id) == (b'{"goal":1}', KARIM)
    assert [(each.user_id, each.node) for each in seen.of(EventKind.SUBSCRIBED)] == [
        (AMINA, there.node.node_id)
    ]
    assert [each.user_id for each in seen.of(EventKind.JOIN)] == [AMINA]
    assert {each.channel for each in seen.events} == {"news:1"}
    assert not seen.of(EventKind.COMMAND)


# --- bounds ---------------------------------------------------------------------------------------


async def test_a_trace_ends_by_itself_and_leaves_nothing_behind(nodes):
    here, there = nodes
    async with talking(there.node, AMINA):
        events = [each async for each in here.watch(user_id=AMINA, seconds=0.3)]

    assert [str(each.kind) for each in events][-1] == "ended"
    await here.node.until(lambda: here.node.departures.tap is None)
    await here.node.until(lambda: there.node.departures.tap is None)
    assert not here.tracing._open


async def test_a_node_that_leaves_ends_its_traces(nodes):
    here, _ = nodes
    here.leaving = True

    assert [str(each.kind) async for each in here.watch(user_id=AMINA)] == ["ended"]


async def test_a_trace_whose_node_died_is_given_up(nodes, clock):
    here, _ = nodes
    tracer = Tracer(
        node_id="a",
        roster=here.node.hub.roster,
        departures=here.node.departures,
        bus=MemoryBus(),
        clock=clock,
        metrics=here.node.metrics,
    )
    begin = Begin(trace="t", asker="dead", user_id=AMINA)
    tracer.take(to_all(begin))
    clock.move(seconds=SILENCE - 1)
    tracer.take(to_all(begin))
    clock.move(seconds=SILENCE - 1)
    tracer.flush()
    assert here.node.departures.tap is tracer

    clock.move(seconds=1)
    tracer.flush()
    assert here.node.departures.tap is None


async def test_a_node_takes_part_in_so_many_traces(nodes, clock):
    here, _ = nodes
    for number in range(TRACES_OF_A_NODE + 5):
        here.tracer.take(to_all(Begin(trace=str(number), asker="a", user_id=AMINA)))

    assert len(here.tracer._traces) == TRACES_OF_A_NODE


async def test_what_is_too_much_is_counted(nodes):
    here, there = nodes
    async with talking(there.node, AMINA) as amina, Watching(here, nodes, user_id=AMINA) as seen:
        for _ in range(10):
            ids = [amina.protocol.rpc("none") for _ in range(100)]
            await amina.answer(ids[-1])
        await here.node.until(lambda: EventKind.DROPPED in seen.kinds())

    assert len(seen.of(EventKind.COMMAND)) < EVENTS_BURST + 100
    assert sum(each.count for each in seen.of(EventKind.DROPPED)) > 0


async def test_only_so_many_traces_are_watched_at_once(nodes):
    here, _ = nodes
    async with AsyncExitStack() as opened:
        for _ in range(AT_ONCE):
            await opened.enter_async_context(Watching(here, nodes, channel="news:1"))
        await here.node.until(lambda: len(here.tracing._open) == AT_ONCE)

        with pytest.raises(TooManyTraces):
            here.watch(user_id=AMINA)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"user_id": AMINA, "channel": "news:1"},
        {"user_id": UserId("a b")},
        {"channel": "\0control"},
        {"channel": "x" * 256},
    ],
)
async def test_either_a_user_or_a_channel_is_watched(nodes, wrong):
    with pytest.raises(InvalidInput):
        nodes[0].watch(**wrong)


async def test_a_process_without_connections_says_so(clock):
    tracing = Tracing(node_id="a", bus=MemoryBus(), clock=clock)
    with pytest.raises(Unavailable):
        tracing.watch(user_id=AMINA, channel="", seconds=1, by=OPERATOR)


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        (Principal(user_id=AMINA), Denied),
        (
            Principal(key_id=new_id(START), scopes=frozenset(Scope) - {Scope.OPERATE}),
            Denied,
        ),
    ],
)
async def test_only_operators_may_watch(nodes, who, refusal):
    [operation] = operations(nodes[0].tracing)
    with pytest.raises(refusal):
        await operation.run(who, Watch(user_id=AMINA))

    assert await operation.run(OPERATOR, Watch(user_id=AMINA))


def test_other_news_between_nodes_is_none_of_its_business():
    for data in (b"{}", b'{"type":"survey.ask"}', b"\xff", b""):
        assert news_of(Publication("\0control", data)) is None


# --- what is shown --------------------------------------------------------------------------------


def test_data_that_is_too_large_is_only_weighed():
    assert shown({"a": "x" * SHOWN_BYTES}) == {"size": SHOWN_BYTES + 8}


@pytest.mark.parametrize(
    "name", ["token", "access_token", "Authorization", "password", "api_key", "Cookie", "session"]
)
def test_what_is_named_like_a_secret_is_not_shown(name):
    text = str(shown({"connect": {"subs": [{name: "s3cr3t", "data": 1}]}}))

    assert "s3cr3t" not in text


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=["json", "protobuf"])
@pytest.mark.parametrize("frame", [b"", b"\xff\xfe", b"{", b"[" * 10_000, b'{"id":1}\n\n{"id":2}'])
def test_frames_that_make_no_sense_are_shown_as_far_as_possible(codec, frame):
    for values in (commands_in(codec, frame), answers_in(codec, frame)):
        assert isinstance(values, list)
        assert all(shown(each) for each in values)
