"""Days and times as people write them: Arabic as in Algeria, French, English. Pure.

Digits are Latin in all three, and hours run to 24: what CLDR has for `fr_DZ` and `ar_DZ`
(9:00 AM, 9:00 ص) is not what people there write.
"""

from datetime import date, datetime

from reminders.due import instant_of
from reminders.hijri import hijri_text
from reminders.times import offset_of, wall_of
from reminders.types import Due, Payment

_MONTHS = {
    "ar": "جانفي فيفري مارس أفريل ماي جوان جويلية أوت سبتمبر أكتوبر نوفمبر ديسمبر",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "en": "January February March April May June July August September October November December",
}
_WEEKDAYS = {
    "ar": "الاثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}
_AT = {"ar": "{day} على الساعة {time}", "fr": "{day} à {time}", "en": "{day} at {time}"}


_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Digits of a currency's smallest unit (ISO 4217); all others have two."""

_SIGNS = {("DZD", "ar"): "دج", ("DZD", "fr"): "DA"}
"""How people write a currency, where that is not its code."""

LANGUAGES = tuple(_MONTHS)
"""The languages that we write in."""


def language_of(locale: str) -> str:
    """The language we write in for a locale such as fr-DZ; English for all we do not."""
    language = locale.replace("_", "-").split("-", 1)[0].lower()
    return language if language in _MONTHS else "en"


def day_text(day: date, language: str, *, today: date) -> str:
    """A day, with its year unless that is the present one."""
    weekday = _WEEKDAYS[language].split()[day.weekday()]
    month = _MONTHS[language].split()[day.month - 1]
    number = "1er" if language == "fr" and day.day == 1 else str(day.day)
    text = f"{weekday} {number} {month}"
    return text if day.year == today.year else f"{text} {day.year}"


def when_text(
    due: Due, *, locale: str, viewer_zone: str, now: datetime, hijri: bool = False
) -> str:
    """The due as the user reads it: on the wall of its place, named where that differs."""
    language = language_of(locale)
    text = day_text(due.day, language, today=wall_of(now, viewer_zone).date())
    if hijri and (beside := hijri_text(due.day, language)):
        text = f"{text} ({beside})"
    if due.at is None:
        return text
    text = _AT[language].format(day=text, time=due.at.strftime("%H:%M"))
    instant = instant_of(due, viewer_zone)
    if due.zone and offset_of(instant, due.zone) != offset_of(instant, viewer_zone):
        city = due.zone.rsplit("/", 1)[-1].replace("_", " ")
        text = f"{text} ({city})"
    return text


def amount_text(payment: Payment, locale: str) -> str:
    """A sum as people write it: 50 000 DA. Digits are Latin in all our languages."""
    language = language_of(locale)
    digits = next((each for each, of in _DIGITS.items() if payment.currency in of), 2)
    whole, rest = divmod(payment.amount, 10**digits)
    # A narrow space that does not break keeps the groups together.
    grouping, point = (",", ".") if language == "en" else ("\u202f", ",")
    grouped = f"{whole:,}".replace(",", grouping)
    cents = f"{point}{rest:0{digits}}" if rest else ""
    sign = _SIGNS.get((payment.currency, language), payment.currency)
    return f"{grouped}{cents}\u00a0{sign}"


def isolated(text: str) -> str:
    """The text as a part of another: its direction turns nothing around it."""
    return f"\u2068{text}\u2069"


def joined(*parts: str) -> str:
    """Texts of several people as one line, each in its own direction."""
    return parts[0] if len(parts) == 1 else " · ".join(map(isolated, parts))
