"""What the rules of a zone were when plans were made from them."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ZoneState:
    """What the rules of a zone were: from `since` on they had this fingerprint."""

    zone: str
    since: date
    fingerprint: bytes
    version: str
