"""Ports that nobody listens on, for what this process opens by itself.

It is a moment until they are listened on, and neighbours who look for some meanwhile must not
find the same ones. So each process looks among a hundred of its own, one after the other.
"""

import itertools
import os
import random
import socket
from contextlib import suppress

FIRST, EACH, PROCESSES = 20_000, 100, 120
"""Up to 31,999: above are those of which outgoing connections are given one."""

_STRIDE = 37
"""Prime to a hundred: whoever takes the ports next to one as well does not meet the next one."""

_turn = itertools.count(random.randrange(EACH))  # noqa: S311


def free_port(host: str) -> int:
    """One that was not given here for a while. Raises `OSError` where all are taken."""
    own = FIRST + os.getpid() % PROCESSES * EACH
    for turn in itertools.islice(_turn, EACH):
        port = own + turn * _STRIDE % EACH
        with suppress(OSError), socket.create_server((host, port)):
            return port
    raise OSError(f"{host} has no free port between {own} and {own + EACH - 1}")
