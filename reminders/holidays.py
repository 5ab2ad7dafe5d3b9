"""Public holidays of Algeria: days on which nobody expects vendors to work. Pure.

Those of the Hijri calendar are estimates until the authorities say so the evening before; the
end of Ramadan is taken from who knows better, where somebody does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from reminders.hijri import hijri_of, ramadan_near
from reminders.person import Ramadan


@dataclass(frozen=True, slots=True)
class Holiday:
    """What is celebrated, in our languages. `estimated`: it may be a day earlier or later."""

    ar: str
    fr: str
    en: str
    estimated: bool = False


_FIXED: Mapping[tuple[int, int], Holiday] = {
    (1, 1): Holiday("رأس السنة الميلادية", "Jour de l’an", "New Year’s Day"),
    (1, 12): Holiday("رأس السنة الأمازيغية", "Yennayer", "Amazigh New Year"),
    (5, 1): Holiday("عيد العمال", "Fête du Travail", "Labour Day"),
    (7, 5): Holiday("عيد الاستقلال", "Fête de l’Indépendance", "Independence Day"),
    (11, 1): Holiday("عيد الثورة", "Fête de la Révolution", "Revolution Day"),
}
"""By month and day."""

_HIJRI: Mapping[tuple[int, int], Holiday] = {
    (1, 1): Holiday("رأس السنة الهجرية", "Awal Mouharram", "Islamic New Year", estimated=True),
    (1, 10): Holiday("عاشوراء", "Achoura", "Ashura", estimated=True),
    (3, 12): Holiday("المولد النبوي", "Mawlid Ennabaoui", "The Prophet’s birthday", estimated=True),
    **{
        (12, day): Holiday("عيد الأضحى", "Aïd el-Adha", "Eid al-Adha", estimated=True)
        for day in (10, 11, 12)
    },
}
"""The same in the Hijri calendar."""

_EID = Holiday("عيد الفطر", "Aïd el-Fitr", "Eid al-Fitr", estimated=True)
_EID_DAYS = 3


def holiday_on(day: date, country: str, ramadans: Sequence[Ramadan] = ()) -> Holiday | None:
    """What is celebrated on a day; None on other days, and of countries we know nothing of."""
    if country != "DZ":
        return None
    fixed = _FIXED.get((day.month, day.day))
    if fixed is not None:
        return fixed
    ramadan = ramadan_near(day, ramadans)
    if ramadan is not None and timedelta(0) < day - ramadan.ends_on <= timedelta(days=_EID_DAYS):
        return _EID
    hijri = hijri_of(day)
    return None if hijri is None else _HIJRI.get((hijri.month, hijri.day))
