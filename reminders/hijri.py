"""The Hijri calendar of Umm al-Qura, and when Ramadan is. Pure.

Authorities announce a month the evening before, and may differ from the calculation and from
each other by a day: in 2026 Algeria began Ramadan a day later. What an operator entered wins.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from hijridate import Gregorian, Hijri

from reminders.person import Ramadan

FIRST_ON, LAST_ON = date(1924, 8, 1), date(2077, 11, 16)
"""The calendar is known within these days."""

_RAMADAN = 9

_MONTHS = {
    "ar": (
        "محرم صفر ربيع_الأول ربيع_الثاني جمادى_الأولى جمادى_الثانية رجب شعبان رمضان شوال"
        " ذو_القعدة ذو_الحجة"
    ),
    "fr": (
        "mouharram safar rabia_al_awal rabia_al_thani joumada_al_oula joumada_al_thania rajab"
        " chaabane ramadan chawwal dhou_al_qi`da dhou_al_hijja"
    ),
    "en": (
        "Muharram Safar Rabi`_al-Awwal Rabi`_al-Thani Jumada_al-Ula Jumada_al-Thaniya Rajab"
        " Sha`ban Ramadan Shawwal Dhu_al-Qa`da Dhu_al-Hijja"
    ),
}
_TEXT = {
    "ar": "{day} {month} {year} هـ",
    "fr": "{day} {month} {year} H",
    "en": "{day} {month} {year} AH",
}


class HijriDay(NamedTuple):
    """A day in the Hijri calendar."""

    year: int
    month: int
    day: int


@lru_cache(maxsize=4096)
def hijri_of(day: date) -> HijriDay | None:
    """The day in the Hijri calendar; None where that is not known."""
    if not FIRST_ON <= day <= LAST_ON:
        return None
    found = Gregorian.fromdate(day).to_hijri()
    return HijriDay(found.year, found.month, found.day)


def hijri_text(day: date, language: str) -> str:
    """The day as it is written; empty where it is not known."""
    found = hijri_of(day)
    if found is None:
        return ""
    month = _MONTHS[language].split()[found.month - 1].replace("_", " ").replace("`", "ʿ")
    return _TEXT[language].format(day=found.day, month=month, year=found.year)


@lru_cache(maxsize=256)
def computed_ramadan(year: int) -> Ramadan:
    """Ramadan as the calendar has it. Raises `OverflowError` outside 1343 to 1500."""
    first = Hijri(year, _RAMADAN, 1)
    starts_on = date(*first.to_gregorian().datetuple())
    return Ramadan(year, starts_on, starts_on + timedelta(days=first.month_length() - 1))


def ramadan_near(day: date, known: Sequence[Ramadan]) -> Ramadan | None:
    """The Ramadan of the day's Hijri year: as operators know it, else computed."""
    hijri = hijri_of(day)
    if hijri is None:
        return None
    for each in known:
        if each.year == hijri.year:
            return each
    return computed_ramadan(hijri.year)
