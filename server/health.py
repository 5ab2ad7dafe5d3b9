"""Is this node alive, and may it be sent clients?"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from kernel.errors import Unavailable

Check = Callable[[], Awaitable[str]]
"""Returns what is wrong, or nothing at all."""


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


async def readiness(checks: Mapping[str, Check]) -> Readiness:
    """Ask all of them."""
    said: dict[str, str] = {}
    for name, check in checks.items():
        try:
            said[name] = await check()
        except Unavailable as error:
            said[name] = error.message
    return Readiness(said)
