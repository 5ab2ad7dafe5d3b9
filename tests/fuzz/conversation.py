"""A whole connection as a list of steps: whatever a client does, and how long it takes.

Steps are written as bytes, so that every fuzzer speaks them.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from kernel.adapters.database import Database, DatabaseOptions
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from server import migrations
from tests.fuzz.stage import Stage
from tests.fuzz.talks import Talk
from tests.fuzz.targets import joined, pieces


class Kind(IntEnum):
    """What a client can do."""

    BYTES = 0
    """Send bytes that may be anything, or part of something."""
    MESSAGE = 1
    PING = 2
    PONG = 3
    CLOSE = 4
    BEGIN = 5
    """The first fragment of a message, then more of it, and the last one."""
    MORE = 6
    END = 7
    WAIT = 8
    """Say nothing for as many seconds as the content is long, but a minute at most."""
    STOP_READING = 9
    READ_ON = 10
    SETTLE = 11
    """Wait for all answers before going on."""


class Step(NamedTuple):
    """One of them, and what it is done with."""

    kind: Kind
    content: bytes = b""


def written(steps: list[Step], *, binary: bool) -> bytes:
    """The bytes that mean these steps."""
    parts = [bytes([step.kind]) + step.content for step in steps]
    return (b"\1" if binary else b"\0") + joined(*parts)


def read(data: bytes) -> tuple[bool, list[Step]]:
    """The format and the steps that these bytes mean; all bytes mean some."""
    parts = [part for part in pieces(data[1:]) if part]
    return data[:1] > b"\0", [Step(Kind(part[0] % len(Kind)), part[1:]) for part in parts]


@contextmanager
def playing(folder: Path, *, sockets: bool = False) -> Iterator[Callable[[bytes], Talk]]:
    """Plays connections on a node of its own, one after the other."""
    url = f"sqlite:///{folder}/zaffa.sqlite3"
    with asyncio.Runner() as runner:
        runner.run(migrations.upgrade(url))
        stage = Stage(database := Database(DatabaseOptions(url=url)))
        running = stage.running(sockets=sockets)
        runner.run(running.__aenter__())
        try:
            yield lambda data: runner.run(converse(stage, data))
        finally:
            runner.run(running.__aexit__(None, None, None))
            runner.run(database.close())


async def converse(stage: Stage, data: bytes) -> Talk:
    """Play a connection to its end; fails when the server does what it must not do."""
    binary, steps = read(data)
    talk = await stage.talk(PROTOBUF if binary else JSON)
    try:
        for step in steps:
            await _play(stage, talk, step)
            talk.heard()
        await talk.settle()
    finally:
        talk.cut()
        await stage.until_nobody_is_there()
    await talk.settle()
    return talk


async def _play(stage: Stage, talk: Talk, step: Step) -> None:
    content = stage.spoken(step.content)
    opcode = 2 if talk.codec.binary else 1
    match step.kind:
        case Kind.BYTES:
            talk.feed(content)
        case Kind.MESSAGE:
            talk.feed(frame(content, opcode))
        case Kind.PING | Kind.PONG:
            talk.feed(frame(content[:125], 9 if step.kind is Kind.PING else 10))
        case Kind.CLOSE:
            talk.feed(frame(content[:125], 8))
        case Kind.BEGIN:
            talk.feed(frame(content, opcode, last=False))
        case Kind.MORE | Kind.END:
            talk.feed(frame(content, 0, last=step.kind is Kind.END))
        case Kind.WAIT:
            await stage.pass_time(min(len(content), 60))
        case Kind.STOP_READING:
            talk.stop_reading()
        case Kind.READ_ON:
            talk.read_on()
        case Kind.SETTLE:
            await talk.settle()


def frame(payload: bytes, opcode: int, *, last: bool = True) -> bytes:
    """A client's frame, masked with zeros, so that what is sent can be read."""
    first, size = (0x80 if last else 0) | opcode, len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65_536:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + bytes(4) + payload
