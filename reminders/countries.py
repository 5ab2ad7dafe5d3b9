"""What differs by country: which days the weekend is, and whose days Ramadan changes. Pure."""

from datetime import date
from functools import cache

from reminders.times import DATA

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)

_FRIDAY_SATURDAY = frozenset(
    ["BH", "DZ", "EG", "IQ", "JO", "KW", "LY", "OM", "QA", "SA", "SD", "SY", "YE"]
)
_OTHER_WEEKENDS = {
    "AF": (THURSDAY, FRIDAY),
    "IL": (FRIDAY, SATURDAY),
    "IN": (SUNDAY,),
    "IR": (FRIDAY,),
    "UG": (SUNDAY,),
}
"""With the line above CLDR's week data; everywhere else it is Saturday and Sunday."""

_FASTING = _FRIDAY_SATURDAY | frozenset(
    ("AE", "AF", "BD", "DJ", "ID", "IR", "KM", "MA", "MR", "MY", "PK", "PS", "SO", "TN")
)
"""Where shops, offices and visits keep other hours in Ramadan, and stop for Friday's prayer."""


def country_of(locale: str, zone: str) -> str:
    """The country of a locale such as fr-DZ, else that of the zone; empty if neither says."""
    for part in locale.replace("_", "-").split("-")[1:]:
        if len(part) == 2 and part.isalpha():
            return part.upper()
    return _countries().get(zone, "")


def weekend_of(country: str) -> tuple[int, ...]:
    """The weekdays on which people there do not work, as `date.weekday` counts."""
    if country in _FRIDAY_SATURDAY:
        return (FRIDAY, SATURDAY)
    return _OTHER_WEEKENDS.get(country, (SATURDAY, SUNDAY))


def is_weekend(day: date, country: str) -> bool:
    return day.weekday() in weekend_of(country)


def fasts(country: str) -> bool:
    """Whether most people's days are different in Ramadan there."""
    return country in _FASTING


@cache
def _countries() -> dict[str, str]:
    """The country of each zone; zones of several countries belong to the first of them."""
    countries: dict[str, str] = {}
    for line in DATA.joinpath("zoneinfo", "zone1970.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            codes, _, zone, *_ = line.split("\t")
            countries[zone] = codes.split(",")[0]
    for line in DATA.joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            code, _, zone, *_ = line.split("\t")
            countries[zone] = code
    return countries
