"""The words of a calendar that nobody typed: Arabic, French, English. Pure."""

from collections.abc import Mapping
from functools import cache

from reminders.checklist import checklist, checklist_types
from reminders.types import Payment
from reminders.wording import LANGUAGES

_ISOLATE, _END = "\u2068", "\u2069"

_DIGITS = {"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3, "JPY": 0, "KRW": 0}
"""Digits of a currency's smallest unit; all others have two."""

ALL_EVENTS = {"ar": "مناسباتي", "fr": "Mes événements", "en": "My events"}

_PAYMENT = {
    "ar": "الدفع: {amount}",
    "fr": "À payer : {amount}",
    "en": "To be paid: {amount}",
}
_TO = {"ar": "إلى {vendor}", "fr": "à {vendor}", "en": "to {vendor}"}

NOT_BEFORE = {"ar": "ليس قبل {day}", "fr": "Pas avant {day}", "en": "Not before {day}"}


def isolated(text: str) -> str:
    """The text as a part of another: its direction turns nothing around it."""
    return f"{_ISOLATE}{text}{_END}"


def joined(*parts: str) -> str:
    """Texts of several people as one line, each in its own direction."""
    return parts[0] if len(parts) == 1 else " · ".join(map(isolated, parts))


def part_name(code: str, language: str) -> str:
    """What a part of an event is called; its code in plain words, if we have no name for it."""
    names = _part_names().get(code)
    return code.replace("_", " ") if names is None else names[language]


def payment_text(payment: Payment, language: str) -> str:
    """What is to be paid, and to whom."""
    digits = _DIGITS.get(payment.currency, 2)
    number = f"{payment.amount / 10**digits:,.{digits}f}".replace(",", "\u202f")
    text = _PAYMENT[language].format(amount=isolated(f"{number} {payment.currency}"))
    if payment.vendor:
        text = f"{text} {_TO[language].format(vendor=isolated(payment.vendor))}"
    return text


@cache
def _part_names() -> Mapping[str, Mapping[str, str]]:
    return {
        code: {language: getattr(part, language) for language in LANGUAGES}
        for each in map(checklist, checklist_types())
        for code, part in each.anchors.items()
    }
