"""When Ramadan is: estimates of the calendar, until an operator knows better."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from hijridate import Hijri

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from notifications.audit.types import deed_of
from notifications.deciding.types import Ramadan
from notifications.preferences.ports import RamadanStore

YEARS = (1400, 1500)
LENGTH = (timedelta(days=28), timedelta(days=29))
"""From the first day to the last: a month of the Hijri calendar has 29 or 30 days."""

APART = timedelta(days=3)
"""The moon is seen so many days from when the calendar has it, and no more."""

_RAMADAN = 9


def _estimate(year: int, starts_on: date, days: int) -> Ramadan:
    return Ramadan(year, starts_on, starts_on + timedelta(days=days - 1))


ESTIMATES: Sequence[Ramadan] = (
    # Announced in Algeria, a day after the calendar of Umm al-Qura, which the others are from.
    Ramadan(1447, date(2026, 2, 19), date(2026, 3, 19), announced=True),
    _estimate(1448, date(2027, 2, 8), 29),
    _estimate(1449, date(2028, 1, 28), 29),
    _estimate(1450, date(2029, 1, 16), 29),
    _estimate(1451, date(2030, 1, 5), 30),
    _estimate(1452, date(2030, 12, 26), 29),
    _estimate(1453, date(2031, 12, 15), 30),
    _estimate(1454, date(2032, 12, 4), 29),
    _estimate(1455, date(2033, 11, 23), 30),
    _estimate(1456, date(2034, 11, 12), 30),
)


def with_estimates(known: Iterable[Ramadan]) -> Sequence[Ramadan]:
    """What operators know of some years, and what the calendar says of the others."""
    by_year = {each.year: each for each in (*ESTIMATES, *known)}
    return [by_year[year] for year in sorted(by_year)]


class Ramadans:
    """What operators may do about the dates of Ramadan. They hold from the next push on."""

    def __init__(self, *, store: RamadanStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def all(self, principal: Principal) -> Sequence[Ramadan]:
        """Every year that there are dates for."""
        principal.require(Scope.PUSHES)
        return await self._store.ramadans()

    async def put(self, principal: Principal, ramadan: Ramadan) -> Ramadan:
        """Set the dates of a year, as they were announced or are expected."""
        principal.require(Scope.PUSHES)
        if not YEARS[0] <= ramadan.year <= YEARS[1]:
            raise InvalidInput("year", "must be a year of the Hijri calendar, such as 1448")
        if not LENGTH[0] <= ramadan.ends_on - ramadan.starts_on <= LENGTH[1]:
            raise InvalidInput("ends_on", "must make a month of 29 or 30 days")
        computed = date(*Hijri(ramadan.year, _RAMADAN, 1).to_gregorian().datetuple())
        if abs(ramadan.starts_on - computed) > APART:
            raise InvalidInput("starts_on", f"must be within {APART.days} days of {computed}")
        deed = deed_of(
            principal,
            "ramadan.changed",
            f"ramadan:{ramadan.year}",
            starts_on=ramadan.starts_on.isoformat(),
            ends_on=ramadan.ends_on.isoformat(),
            announced=ramadan.announced,
        )
        await self._store.put_ramadan(ramadan, deed=deed, now=self._clock.now())
        return ramadan

    async def forget(self, principal: Principal, year: int) -> None:
        """Go by the calendar again. Doing so twice is harmless."""
        principal.require(Scope.PUSHES)
        deed = deed_of(principal, "ramadan.forgotten", f"ramadan:{year}")
        await self._store.forget_ramadan(year, deed=deed, now=self._clock.now())
