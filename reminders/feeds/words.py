"""The words of a calendar that nobody typed: Arabic, French, English. Pure."""

from reminders.types import Payment
from reminders.wording import amount_text, isolated

ALL_EVENTS = {"ar": "مناسباتي", "fr": "Mes événements", "en": "My events"}

_PAYMENT = {
    "ar": "الدفع: {amount}",
    "fr": "À payer : {amount}",
    "en": "To be paid: {amount}",
}
_TO = {"ar": "إلى {vendor}", "fr": "à {vendor}", "en": "to {vendor}"}

NOT_BEFORE = {"ar": "ليس قبل {day}", "fr": "Pas avant {day}", "en": "Not before {day}"}


def payment_text(payment: Payment, language: str) -> str:
    """What is to be paid, and to whom."""
    text = _PAYMENT[language].format(amount=isolated(amount_text(payment, language)))
    if payment.vendor:
        text = f"{text} {_TO[language].format(vendor=isolated(payment.vendor))}"
    return text
