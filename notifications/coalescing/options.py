"""How busy threads are told of."""

from dataclasses import dataclass
from datetime import timedelta

from kernel.options import option

LONGEST = 3600.0


@dataclass(frozen=True, slots=True)
class CoalescingOptions:
    """How devices are told of conversations in which much is said."""

    seconds: float = option(
        30.0,
        "A device is told of a conversation at once, and then once in this time, with a count;"
        " 0 tells of every message. FCM lets a device have 20 at once, and then one in 3 minutes.",
    )
    badges: bool = option(
        True,
        "Whether pushes about messages carry how many the user has not read. Turn it off when"
        " the application does not say what was read.",
    )

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= LONGEST:
            raise ValueError(f"seconds must be from 0 to {LONGEST:g}")

    @property
    def interval(self) -> timedelta:
        return timedelta(seconds=self.seconds)
