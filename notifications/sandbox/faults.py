"""Faults on purpose: scripted per address and time window, or asked for by the address itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from kernel.clock import Clock
from notifications.sandbox.http import Manner, Response

MANNERS = {
    "SILENCE": Manner.SILENCE,
    "RESET": Manner.RESET,
    "REFUSE": Manner.REFUSE,
    "DROP": Manner.DROP,
    "GOAWAY": Manner.GOAWAY,
}
"""Faults of the connection; the push is neither accepted nor refused."""

LATE = {"GOAWAY_AFTER": Manner.GOAWAY_AFTER, "ACCEPT_AND_DROP": Manner.DROP}
"""Faults that come after the push was accepted."""

SLOW = "SLOW"
"""Accepted, after the fault's `delay`."""

SLOWNESS = 2.0
"""Seconds that a slow address takes unless a script says otherwise."""


@dataclass(slots=True)
class Fault:
    """What shall go wrong, for whom, when, and how often.

    `outcome` is a provider's own word (`UNREGISTERED`, `BadDeviceToken`), a fault of the
    connection (`SILENCE`, `DROP` …) or `SLOW`. An empty `prefix` means every address.
    """

    provider: str
    outcome: str
    prefix: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    times: int | None = None
    retry_after: str = ""
    delay: float = 0.0
    timestamp: int | None = None
    """APNs: since when the token is invalid, in milliseconds."""
    split: bool = False
    """The error's body comes in two frames."""
    bare: bool = False
    """The error has no body at all, as when a front end fails."""
    id: int = 0

    def covers(self, address: str, now: datetime) -> bool:
        return (
            address.startswith(self.prefix)
            and (self.starts_at is None or self.starts_at <= now)
            and (self.ends_at is None or now < self.ends_at)
        )


class Faults:
    """The script of one sandbox. The newest fault that covers a request applies."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._script: dict[int, Fault] = {}
        self._numbers = count(1)

    def add(self, fault: Fault) -> Fault:
        fault.id = next(self._numbers)
        self._script[fault.id] = fault
        return fault

    def remove(self, number: int) -> bool:
        return self._script.pop(number, None) is not None

    def clear(self) -> None:
        self._script.clear()

    def listed(self) -> list[Fault]:
        return list(self._script.values())

    def find(self, provider: str, address: str) -> Fault | None:
        """The fault for this request, which counts as one of its `times`."""
        if not self._script:
            return None
        now = self._clock.now()
        for fault in reversed(self._script.values()):
            if fault.provider == provider and fault.covers(address, now):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._script.pop(fault.id)
                return fault
        return None


def of_connection(fault: Fault) -> Response | None:
    """The answer for a fault in which the push is not accepted and no error is told."""
    manner = MANNERS.get(fault.outcome)
    if manner is None:
        return None
    return Response(500, manner=manner, delay=fault.delay, debug=b'{"reason":"Shutdown"}')


def fcm_prefixes(outcomes: Iterable[str]) -> dict[str, str]:
    """Well-known beginnings of an FCM address: `sandbox-unregistered`, `sandbox-silence` …"""
    return {"sandbox-" + each.lower().replace("_", "-"): each for each in outcomes}


def apns_prefixes(outcomes: Iterable[str]) -> dict[str, str]:
    """Well-known beginnings of an APNs address: `bad00`, `bad01` … in the given order."""
    return {f"bad{number:02x}": each for number, each in enumerate(outcomes)}
