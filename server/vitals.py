"""What this process uses: its share of a processor, and its memory."""

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from kernel.clock import Clock

_STATM = Path("/proc/self/statm")


class Vitals:
    """Measures since it was asked last, so give each who asks one of their own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_at = clock.monotonic()
        self._used = _processor_seconds()

    def __call__(self) -> Mapping[str, float]:
        now, used = self._clock.monotonic(), _processor_seconds()
        passed = now - self._asked_at
        share = 100 * (used - self._used) / passed if passed > 0 else 0.0
        self._asked_at, self._used = now, used
        return {"cpu_percent": round(share, 1), "rss_bytes": float(_memory())}


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _memory() -> int:
    """Resident bytes now; where the system does not tell, the most there ever were."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
