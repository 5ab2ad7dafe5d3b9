"""Places at which devices may remind their users by themselves. We keep them; we never look."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Nearby:
    """A circle around a point: coming there is worth a word, or `leaving` it."""

    label: str
    latitude: float
    longitude: float
    radius_metres: int = 200
    leaving: bool = False
