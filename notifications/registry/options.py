"""What an operator may choose about the nightly clean-up."""

from dataclasses import dataclass

from kernel.options import option


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """When devices that are of no more use go, every night."""

    hour: int = option(2, "The hour of the day, in UTC, at which the clean-up begins.")
    refused_days: int = option(
        30, "Devices whose user allows no notifications are kept so long after their last start."
    )
    untaken_days: int = option(
        90,
        "Devices for which no provider ever took a push are kept so long after their last start.",
    )
    audit_days: int = option(400, "The audit trail is kept so long.")

    def __post_init__(self) -> None:
        if not 0 <= self.hour <= 23:
            raise ValueError("hour must be from 0 to 23")
        for name in ("refused_days", "untaken_days", "audit_days"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
