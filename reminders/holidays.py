"""Public holidays of Algeria: days on which nobody expects vendors to work. Pure.

Those of the Hijri calendar are estimates until the authorities say so the evening before; the
end of Ramadan is taken from who knows better, where somebody does.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from reminders.hijri import hijri_of, ramadan_near
from reminders.person import Ramadan

_FIXED: Mapping[tuple[int, int], str] = {
    (1, 1): "Jour de l’an",
    (1, 12): "Yennayer",
    (5, 1): "Fête du Travail",
    (7, 5): "Fête de l’Indépendance",
    (11, 1): "Fête de la Révolution",
}
"""By month and day."""

_HIJRI: Mapping[tuple[int, int], str] = {
    (1, 1): "Awal Mouharram",
    (1, 10): "Achoura",
    (3, 12): "Mawlid Ennabaoui",
    **{(12, day): "Aïd el-Adha" for day in (10, 11, 12)},
}
"""The same in the Hijri calendar."""

_EID, _EID_DAYS = "Aïd el-Fitr", 3


def holiday_on(day: date, country: str, ramadans: Sequence[Ramadan] = ()) -> str | None:
    """What is celebrated on a day, by its name; None on other days, and of countries we know
    nothing of."""
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
