"""Reading frames and writing to many sockets is the same in C and in Python."""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatch_build import compiled
from messaging.connections.frame_io import IN_PYTHON, FrameIO, frame_io
from tests.support.rawsocket import masked

COMPILER = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
WAYS = ["in Python"] + ["compiled"] * bool(shutil.which(COMPILER))
LIMIT = 1000
MUCH = b"x" * 10_000_000
MANY = 100
"""Enough for the compiled way to let other threads run meanwhile."""


@pytest.fixture(params=WAYS, scope="module")
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FrameIO:
    if request.param == "in Python":
        return IN_PYTHON
    built = tmp_path_factory.mktemp("compiled") / "native.abi3.so"
    assert compiled(built) == ""
    spec = spec_from_loader("native", ExtensionFileLoader("native", str(built)))
    assert spec is not None
    assert spec.loader is not None
    native = module_from_spec(spec)
    spec.loader.exec_module(native)
    return FrameIO(native.whole_message, native.write_to_all, native.write_to_each)


class Pair:
    """Two ends of a connection; ours does not block."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.theirs.settimeout(1)

    @property
    def fd(self) -> int:
        return self.ours.fileno()

    def arrived(self) -> bytes:
        return self.theirs.recv(1000)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    made = [Pair() for _ in range(MANY)]
    yield made
    for each in made:
        each.close()


def test_all_are_sent_the_same(way, pairs):
    assert way.to_all([each.fd for each in pairs], b"zaffa") == []

    assert [each.arrived() for each in pairs] == [b"zaffa"] * MANY


def test_each_is_sent_its_own(way, pairs):
    frames = [b"%d" % number for number in range(MANY)]

    assert way.to_each([each.fd for each in pairs], frames) == []

    assert [each.arrived() for each in pairs] == frames


def test_nobody_to_write_to_is_no_shortfall(way):
    assert way.to_all([], b"zaffa") == []
    assert way.to_each([], []) == []


def test_whoever_has_no_socket_is_left_out(way, pairs):
    [one, other, *_] = pairs

    assert way.to_all([one.fd, -1, other.fd], b"zaffa") == [(1, 0)]

    assert (one.arrived(), other.arrived()) == (b"zaffa", b"zaffa")


def test_what_a_socket_does_not_take_is_told_and_the_others_get_theirs(way, pairs):
    [one, full, other, *_] = pairs
    [(_, filled)] = way.to_all([full.fd], MUCH)
    assert 0 < filled < len(MUCH)

    shortfalls = way.to_each([one.fd, full.fd, other.fd], [b"one", b"full", b"other"])

    assert shortfalls == [(1, 0)]
    assert (one.arrived(), other.arrived()) == (b"one", b"other")


def test_a_broken_connection_is_told_and_the_others_get_theirs(way, pairs):
    [one, gone, closed, other, *_] = pairs
    gone.theirs.close()
    number = closed.fd
    closed.ours.close()

    shortfalls = way.to_all([one.fd, gone.fd, number, other.fd], b"zaffa")

    assert shortfalls == [(1, -1), (2, -1)]
    assert (one.arrived(), other.arrived()) == (b"zaffa", b"zaffa")


def test_what_makes_no_sense_is_refused_before_anything_is_written(way, pairs):
    [one, other, *_] = pairs
    with pytest.raises((TypeError, ValueError, IndexError)):
        way.to_each([one.fd, other.fd], [b"only one"])
    with pytest.raises(TypeError):
        way.to_each([one.fd], ["text"])


@given(
    payload=st.text(max_size=300).map(str.encode)
    | st.binary(max_size=300)
    | st.binary(min_size=999),
    opcode=st.sampled_from([0, 1, 2, 8, 9]),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 4]),
    mask=st.sampled_from([True, True, True, False]),
    more=st.sampled_from([b"", b"", b"x", masked(b"another")]),
    cut=st.sampled_from([0, 0, 1, 7]),
)
def test_a_whole_frame_is_told_from_everything_else(
    way, payload, opcode, fin, rsv, mask, more, cut
):
    data = masked(payload, opcode=opcode, fin=fin, rsv=rsv, mask=mask)
    data = data[: len(data) - cut] if cut else data + more

    is_whole = fin and not rsv and mask and not more and not cut
    is_message = opcode == 2 or (opcode == 1 and _is_text(payload))
    expected = payload if is_whole and is_message and len(payload) <= LIMIT else None
    assert way.whole_message(data, LIMIT) == expected


def _is_text(payload: bytes) -> bool:
    return payload.decode(errors="replace").encode() == payload


@given(data=st.binary(max_size=20))
def test_the_first_bytes_of_anything_are_no_whole_frame_or_the_same_one(way, data):
    assert way.whole_message(data, LIMIT) == IN_PYTHON.whole_message(data, LIMIT)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 125, 126, 65_535])
def test_every_size_is_unmasked_to_the_last_byte(way, size):
    payload = bytes(at * 7 % 251 for at in range(size))

    assert way.whole_message(masked(payload, opcode=2), 65_535) == payload


def test_what_is_no_frame_at_all_is_refused(way):
    with pytest.raises(TypeError):
        way.whole_message("text, not bytes", LIMIT)


def test_without_the_compiled_part_everything_is_written_in_python(monkeypatch):
    monkeypatch.setitem(sys.modules, "messaging.native", None)

    assert frame_io(compiled=True) is IN_PYTHON


def test_the_compiled_part_is_used_unless_it_is_not_wanted():
    assert frame_io(compiled=False) is IN_PYTHON


SANITIZED = r"""
import socket, sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
spec = spec_from_loader("native", ExtensionFileLoader("native", sys.argv[1]))
native = module_from_spec(spec)
spec.loader.exec_module(native)
pairs = [socket.socketpair() for _ in range(100)]
for ours, _ in pairs:
    ours.setblocking(False)
fds = [ours.fileno() for ours, _ in pairs]
for count in range(100):
    assert native.write_to_all(fds[:count], b"x" * count) == []
assert native.write_to_all([-1, 2**40, fds[0]], b"x") == [(0, 0), (1, 0)]
assert native.write_to_each(fds[:2], [b"y" * 10_000_000, b"z"])[0][0] == 0
pairs[3][1].close()
assert native.write_to_each(fds[3:5], [b"a", b"b"]) == [(0, -1)]
for arguments in [(fds, b"", 1), (7, b""), (["fd"], b""), ([2**70], b""), (fds, "text")]:
    try:
        native.write_to_all(*arguments)
    except (TypeError, OverflowError, SystemError):
        continue
    raise AssertionError(arguments)
mask, text = bytes(range(4)), bytes(range(97, 123)) * 9
for size in range(200):
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text[:size]))
    head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE, 0, size])
    frame = head + mask + body
    assert native.whole_message(frame, 200) == text[:size]
    for end in range(len(frame)):
        assert native.whole_message(frame[:end], 200) is None
assert native.whole_message(b"\x81\x81\0\0\0\0\xff", 200) is None
for arguments in [(), (b"",), ("text", 1), (b"x" * 9, "1"), (b"x" * 9, 2**70), (b"", 1, 2)]:
    try:
        native.whole_message(*arguments)
    except (TypeError, OverflowError):
        continue
    raise AssertionError(arguments)
for arguments in [(fds, []), (fds, 7), (fds, ["x"] * 100), (fds, [b"x"] * 99 + [None])]:
    try:
        native.write_to_each(*arguments)
    except (TypeError, IndexError, SystemError):
        continue
    raise AssertionError(arguments)
"""


@pytest.mark.external
@pytest.mark.parametrize("way", WAYS[1:])
def test_the_compiled_way_touches_no_memory_but_its_own(way, tmp_path):
    built = tmp_path / "native.abi3.so"
    assert compiled(built, more=["-g", "-fsanitize=address,undefined"]) == ""
    runtime = subprocess.run(
        [COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()

    done = subprocess.run(
        [sys.executable, "-c", SANITIZED, built],
        env={**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
