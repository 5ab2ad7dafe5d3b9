"""What a client can make us keep is limited, however it goes about it: measured, not reckoned."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest

from kernel.adapters.database import Database
from messaging.connections.framing import FrameReader, FrameViolation
from messaging.protocol.codes import ProtocolViolation
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from tests.fuzz.conversation import frame
from tests.fuzz.stage import BACKLOG_BYTES, MESSAGE_BYTES, TOKEN, Stage
from tests.fuzz.talks import PipeTalk
from tests.fuzz.targets import LIMIT
from tests.messaging.doors import Doors

SLACK = 128 * 1024
"""What anything may take beside the bytes that it was told to keep."""


class Memory:
    """How much is in use now, and how much was at most, beyond the beginning."""

    def __init__(self) -> None:
        gc.collect()
        tracemalloc.start()
        self._before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()

    @property
    def now(self) -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - self._before

    @property
    def peak(self) -> int:
        return tracemalloc.get_traced_memory()[1] - self._before


@pytest.fixture
def memory() -> Iterator[Callable[[], Memory]]:
    """Begins to measure."""
    yield Memory
    tracemalloc.stop()


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
async def stage(sqlite_database: Database, doors: Doors) -> AsyncIterator[Stage]:
    async with Stage(sqlite_database, doors.operations("a.slow")).running() as stage:
        yield stage


async def connected(stage: Stage) -> PipeTalk:
    talk = PipeTalk(stage.node, JSON)
    talk.feed(frame(stage.spoken(b'{"id":1,"connect":{"token":"%b"}}' % TOKEN.encode()), 1))
    await talk.settle()
    assert talk.judge.replies
    return talk


@pytest.mark.parametrize("size", [65_537, 2**31, 2**63 - 1, 2**64 - 1])
def test_a_frame_that_promises_much_takes_nothing(memory, size):
    head = b"\x82\xff" + size.to_bytes(8, "big") + bytes(4)
    used = memory()

    with pytest.raises(FrameViolation, match="too big"):
        list(FrameReader().feed(head, limit=LIMIT))

    assert used.peak < SLACK


@pytest.mark.parametrize(
    "promise",
    [
        b"\xff\xff\xff\x7f",  # a command of 256 MB
        b"\xff\xff\xff\xff\x0f",  # one of 4 GB
        b"\x07\x22\xff\xff\xff\xff\x07",  # a connect of 2 GB, in a command of 7 bytes
        b"\x09\x22\x07\x0a\xff\xff\xff\xff\x07a",  # a token of 2 GB in it
        b"\x0a\x22\x08\x1a\xff\xff\xff\xff\x0f\x0a\x00",  # subs of 4 GB
    ],
)
def test_a_message_that_promises_much_takes_nothing(memory, promise):
    used = memory()

    with pytest.raises(ProtocolViolation):
        PROTOBUF.decode_commands(promise, limit=9)

    assert used.peak < SLACK


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * LIMIT,
        b'{"id":1,"rpc":{"data":' + b"[" * (LIMIT - 30),
        b'{"id":1,"connect":{"subs":' + b'{"a":{"tf":{"nodes":[' * 2900,
        b'{"id":1,"connect":{"headers":{' + b'"":"",' * 10_000 + b'"":""}}}',
        b'{"id":' + b"9" * (LIMIT - 8) + b"}",
        b"{}\n" * (LIMIT // 3),
    ],
)
def test_a_text_of_brackets_takes_little_more_than_itself(memory, bomb):
    used = memory()

    with suppress(ProtocolViolation):
        JSON.decode_commands(bomb, limit=512)

    assert used.peak < 20 * LIMIT


async def test_a_message_that_never_ends_is_kept_up_to_its_limit(stage, memory):
    talk = await connected(stage)
    used = memory()

    talk.feed(frame(b"x", 1, last=False))
    for _ in range(200):
        talk.feed(frame(b"x" * 1000, 0, last=False))
        await asyncio.sleep(0)

    talk.heard()
    assert talk.judge.close_code == 1009
    assert used.peak < MESSAGE_BYTES * 8 + SLACK


async def test_commands_behind_a_slow_one_are_kept_up_to_a_limit(stage, memory, doors):
    talk = await connected(stage)
    call = frame(b'{"id":2,"rpc":{"method":"a.slow","data":{"call":"%b"}}}' % (b"x" * 16_000), 1)
    used = memory()

    sent = 0
    while not talk.pipe.paused and sent < 200:
        talk.feed(call)
        sent += 1
        await asyncio.sleep(0)

    assert talk.pipe.paused
    assert used.now < stage.node.connection_options.waiting_bytes + 4 * MESSAGE_BYTES + SLACK
    doors.open("x" * 16_000)
    await talk.settle()
    assert not talk.pipe.paused


async def test_many_small_commands_behind_a_slow_one_are_kept_up_to_a_limit(stage, memory, doors):
    talk = await connected(stage)
    calls = frame(b"\n".join([b'{"id":2,"rpc":{"method":"a.slow"}}'] * 400), 1)
    used = memory()

    sent = 0
    while not talk.pipe.paused and sent < 5:
        talk.feed(calls)
        sent += 1
        await asyncio.sleep(0)

    assert talk.pipe.paused
    assert used.now < 2 * SLACK
    doors.open("")
    await talk.settle()


async def test_answers_to_a_client_that_does_not_read_are_kept_up_to_a_limit(stage, memory):
    talk = await connected(stage)
    talk.stop_reading()
    used = memory()

    for _ in range(2000):
        talk.feed(frame(b"p" * 125, 9))
        await asyncio.sleep(0)

    talk.heard()
    assert talk.judge.close_code == 3008
    assert used.peak < BACKLOG_BYTES * 3 + SLACK


async def test_a_connection_that_is_over_leaves_nothing_behind(stage, memory):
    async def visit() -> None:
        talk = await connected(stage)
        for number in range(2, 12):
            talk.feed(frame(b'{"id":%d,"rpc":{"method":"conversations.list"}}' % number, 1))
        talk.feed(frame(b'{"id":99,"subscribe":{"channel":"user:amina"}}', 1)[:-5])
        await talk.settle()
        talk.cut()
        await talk.settle()

    await visit()
    used = memory()
    for _ in range(8):
        await visit()

    assert used.now < SLACK
