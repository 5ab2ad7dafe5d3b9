"""Reading a frame and writing to many sockets: in C where compiled, in Python everywhere.

Both ways do the same. Sockets are file descriptors that do not block; a negative one is left
out. What is returned is told of those only that did not take all of it: their place in the
list, and how many bytes they took, or -1 for a connection that is broken.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from messaging.connections.framing import whole_message

Shortfall = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FrameIO:
    """What is done for every frame that comes and goes."""

    whole_message: Callable[[bytes, int], bytes | None]
    """The message that these bytes are, if they are one whole frame of so many bytes at most.

    None for everything else, be it a fragment, several frames or a violation.
    """
    to_all: Callable[[list[int], bytes], list[Shortfall]]
    """The same frame to each socket."""
    to_each: Callable[[list[int], list[bytes]], list[Shortfall]]
    """To each socket its own frame."""


def frame_io(*, compiled: bool) -> FrameIO:
    """The compiled way if it is wanted and there, else the one in Python."""
    if compiled:
        try:
            native = importlib.import_module("messaging.native")
        except ImportError:
            return IN_PYTHON
        return FrameIO(native.whole_message, native.write_to_all, native.write_to_each)
    return IN_PYTHON


def _write_to_each(sockets: list[int], frames: list[bytes]) -> list[Shortfall]:
    write = os.write
    shortfalls = []
    for index, (socket, frame) in enumerate(zip(sockets, frames, strict=True)):
        written = 0
        if socket >= 0:
            try:
                written = write(socket, frame)
            except BlockingIOError:
                written = 0
            except OSError:
                written = -1
        if written != len(frame):
            shortfalls.append((index, written))
    return shortfalls


def _write_to_all(sockets: list[int], frame: bytes) -> list[Shortfall]:
    return _write_to_each(sockets, [frame] * len(sockets))


IN_PYTHON = FrameIO(whole_message, _write_to_all, _write_to_each)
