"""Writing to many sockets does the same in C and in Python."""

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
from pathlib import Path

import pytest

from hatch_build import compiled
from messaging.connections.sending import IN_PYTHON, Writers, writers

COMPILER = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
WAYS = ["in Python"] + ["compiled"] * bool(shutil.which(COMPILER))
MUCH = b"x" * 10_000_000
MANY = 100
"""Enough for the compiled way to let other threads run meanwhile."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Writers:
    if request.param == "in Python":
        return IN_PYTHON
    built = tmp_path / "native.abi3.so"
    assert compiled(built) == ""
    spec = spec_from_loader("native", ExtensionFileLoader("native", str(built)))
    assert spec is not None
    assert spec.loader is not None
    native = module_from_spec(spec)
    spec.loader.exec_module(native)
    return Writers(to_all=native.write_to_all, to_each=native.write_to_each)


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


def test_without_the_compiled_part_everything_is_written_in_python(monkeypatch):
    monkeypatch.setitem(sys.modules, "messaging.native", None)

    assert writers(compiled=True) is IN_PYTHON


def test_the_compiled_part_is_used_unless_it_is_not_wanted():
    assert writers(compiled=False) is IN_PYTHON


SANITIZED = """
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
