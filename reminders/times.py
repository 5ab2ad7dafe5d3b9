"""Wall time and instants. Zones come from the `tzdata` package, never from the host. Pure.

A host's zone data is as old as the host: with it a reminder in Casablanca is an hour off
from 2026-09-20 on. So zones are read from the pinned package here, whatever `zoneinfo`'s
search path says; `use_packaged_zones` makes the rest of the process agree.
"""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import tzdata  # type: ignore[import-untyped]

from kernel.errors import InvalidInput

ZONE_DATA_VERSION: str = tzdata.IANA_VERSION
"""The release of the zone data, such as 2026f."""

DATA = resources.files("tzdata")
"""Where the zones are read from."""

_SECOND = timedelta(seconds=1)

FIRST_YEAR, LAST_YEAR = 2000, 2100
"""Days are accepted within these years."""


def use_packaged_zones() -> None:
    """Make every `ZoneInfo` of this process come from the package. Call it once, at start."""
    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()


@cache
def zone_names() -> frozenset[str]:
    """The zones that may be named: places and UTC; no bare offsets and no relics such as EST."""
    names = DATA.joinpath("zones").read_text("utf-8").split()
    places = {name for name in names if "/" in name and not name.startswith("Etc/")}
    return frozenset(places | {"UTC", "Etc/UTC"})


@cache
def zone_named(name: str) -> ZoneInfo:
    """The rules of a zone. Raises `LookupError` if the package has none of that name."""
    if name not in zone_names():
        raise LookupError(f"no time zone is named {name!r}")
    with DATA.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def checked_zone(name: str, *, field: str = "zone") -> str:
    """The name as given. Refuses what is not a zone, an offset like +01:00 included."""
    if name not in zone_names():
        raise InvalidInput(field, "must be an IANA time zone such as Africa/Algiers")
    return name


def checked_day(day: date, *, field: str = "day") -> date:
    """The day as given. Refuses one that nobody can mean."""
    if not FIRST_YEAR <= day.year < LAST_YEAR:
        raise InvalidInput(field, f"must be between {FIRST_YEAR} and {LAST_YEAR - 1}")
    return day


def resolve(wall: datetime, zone: str) -> datetime:
    """The instant of a wall time (RFC 5545, 3.3.5): one, always, and never two.

    A wall time that the clocks show twice is the first of the two; one that they skip is
    read with the offset before the gap, and so lands later by the length of the gap.
    """
    if wall.tzinfo is not None:
        raise ValueError("a wall time has no zone of its own")
    return _resolved(wall, zone_named(zone))


@lru_cache(maxsize=4096)
def _resolved(wall: datetime, zone: ZoneInfo) -> datetime:
    # fold=0 is the RFC's choice in both cases.
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def first_shown(wall: datetime, zone: str) -> datetime:
    """The first instant at which the zone's clocks show `wall`, or have skipped it."""
    late = resolve(wall, zone)
    if wall_of(late, zone) == wall:
        return late
    # The change lies where the offset before it and the one after it both still fit.
    early = wall.replace(tzinfo=zone_named(zone), fold=1).astimezone(UTC)
    while late - early > _SECOND:
        middle = early + (late - early) / 2
        early, late = (early, middle) if wall_of(middle, zone) >= wall else (middle, late)
    return late.replace(microsecond=0)


def shown_again(wall: datetime, zone: str) -> datetime | None:
    """The second instant at which the clocks show `wall`, where they go back over it."""
    again = wall.replace(tzinfo=zone_named(zone), fold=1).astimezone(UTC)
    return again if again > resolve(wall, zone) else None


def wall_of(instant: datetime, zone: str) -> datetime:
    """What the clocks of a zone show at an instant."""
    return instant.astimezone(zone_named(zone)).replace(tzinfo=None, fold=0)


def end_of_day(day: date, zone: str) -> datetime:
    """The instant at which a day is over in a zone."""
    return resolve(datetime.combine(day + timedelta(days=1), time()), zone)


def offset_of(instant: datetime, zone: str) -> timedelta:
    """How far the zone's clocks are ahead of UTC at an instant."""
    offset = instant.astimezone(zone_named(zone)).utcoffset()
    assert offset is not None, "a zone always has an offset"
    return offset


def change_between(before: datetime, after: datetime, zone: str) -> datetime:
    """When the zone's clocks change between two instants, to the second; between them they
    change once."""
    offset = offset_of(before, zone)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if offset_of(middle, zone) == offset:
            before = middle
        else:
            after = middle
    return after
