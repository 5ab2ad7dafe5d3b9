"""Is this node alive, and may it be sent clients?"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.errors import Unavailable

Check = Callable[[], Awaitable[str]]
"""Returns what is wrong, or nothing at all."""

FRESH_FOR = 1.0
"""Seconds for which an answer is given again: anybody may ask, as often as they like."""

PATIENCE = 2.0
"""Seconds after which a check that has not answered has failed; load balancers give up early."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What each check said; the node is ready when none complains."""

    checks: Mapping[str, str]

    @property
    def ready(self) -> bool:
        return not any(self.checks.values())

    def as_json(self) -> dict[str, object]:
        """For the answer of /readyz."""
        return {
            "ready": self.ready,
            "checks": {name: complaint or "ok" for name, complaint in self.checks.items()},
        }


LEAVING = Readiness({"draining": "this node is leaving"})


class Health:
    """Asks the checks side by side, and remembers for a moment what they said."""

    def __init__(self, checks: Mapping[str, Check], *, clock: Clock) -> None:
        self._checks = checks
        self._clock = clock
        self._found = Readiness({})
        self._found_at = float("-inf")
        self._asking = asyncio.Lock()

    async def readiness(self) -> Readiness:
        """What the checks say, or said less than a second ago."""
        async with self._asking:
            if self._clock.monotonic() - self._found_at >= FRESH_FOR:
                said = await asyncio.gather(*map(_said, self._checks.values()))
                self._found = Readiness(dict(zip(self._checks, said, strict=True)))
                self._found_at = self._clock.monotonic()
            return self._found


async def _said(check: Check) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            return await check()
    except TimeoutError:
        return f"no answer within {PATIENCE:g} seconds"
    except Unavailable as error:
        return error.message
