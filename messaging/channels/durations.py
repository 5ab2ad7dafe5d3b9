"""Durations as operators write them: seconds, or Go's way as in Centrifugo's settings. Pure."""

import re
from typing import Final

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_of(name: str, duration: float | str) -> float:
    """Seconds of a number, or of a text such as `300s`, `1h30m` or `7d`.

    Raises `ValueError`, beginning with `name`, for anything else.
    """
    if isinstance(duration, str):
        parts = list(_PART.finditer(duration))
        if not parts or "".join(part[0] for part in parts) != duration:
            raise ValueError(f'{name} must be seconds or a duration such as "10m"')
        return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
    if not 0 <= duration < float("inf"):
        raise ValueError(f"{name} must not be negative")
    return duration
