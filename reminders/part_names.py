"""What the parts of events are called, in Arabic, French and English. Pure but for reading them."""

from collections.abc import Mapping
from functools import cache

from reminders.checklist import checklist, checklist_types
from reminders.wording import LANGUAGES

_COMMON: Mapping[str, tuple[str, str, str]] = {
    "ceremony": ("المراسم", "Cérémonie", "Ceremony"),
    "dinner": ("العشاء", "Dîner", "Dinner"),
    "engagement": ("الخطوبة", "Fiançailles", "Engagement"),
    "hammam": ("الحمام", "Hammam", "Hammam"),
    "lunch": ("الغداء", "Déjeuner", "Lunch"),
    "photos": ("جلسة التصوير", "Séance photo", "Photo session"),
    "procession": ("الموكب", "Cortège", "Procession"),
    "reception": ("حفل الاستقبال", "Réception", "Reception"),
    "walima": ("الوليمة", "Walima", "Walima"),
}
"""Parts that no checklist adds by itself, in the order of `LANGUAGES`."""


def part_name(code: str, language: str) -> str:
    """What a part of an event is called; its code in plain words, if we have no name for it."""
    names = _names().get(code)
    return code.replace("_", " ") if names is None else names[language]


@cache
def _names() -> Mapping[str, Mapping[str, str]]:
    common = {code: dict(zip(LANGUAGES, names, strict=True)) for code, names in _COMMON.items()}
    return common | {
        code: {language: getattr(part, language) for language in LANGUAGES}
        for each in map(checklist, checklist_types())
        for code, part in each.anchors.items()
    }
