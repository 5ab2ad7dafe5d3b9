"""Categories: what holds for each kind of notification. Users see them as switches."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

import msgspec

from kernel.ids import UserId
from kernel.notices import Urgency
from kernel.options import option
from notifications.deciding.decision import NO_PREFERENCES
from notifications.deciding.types import CategoryRule, Facts, Quiet, QuietHours, Said, Window

CATEGORY = re.compile(r"[a-z][a-z0-9_.-]{0,63}")

DAY = timedelta(hours=24)
"""How far is looked back when marketing is counted."""

MARKETING = "marketing"
DISMISSAL = "dismissal"
"""What takes back what was shown: it is no switch of the user's, and shows nothing."""

BUILT_IN: Mapping[str, CategoryRule] = {
    "chat": CategoryRule(quiet=Quiet.IGNORED),
    "reminders": CategoryRule(),
    "booking": CategoryRule(),
    "announcement": CategoryRule(),
    MARKETING: CategoryRule(consent=MARKETING, quiet=Quiet.ENFORCED),
}
"""The categories of the house, unless the settings say otherwise."""

_BY_URGENCY: Mapping[Urgency, CategoryRule] = {
    Urgency.INTERACTIVE: CategoryRule(quiet=Quiet.IGNORED),
    Urgency.TRANSACTIONAL: CategoryRule(),
    Urgency.MARKETING: BUILT_IN[MARKETING],
}
"""What holds for a category that nobody has described."""


_SILENT = CategoryRule(quiet=Quiet.IGNORED, optional=False)


class CategoryOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How operators describe a category."""

    consent: bool = False
    quiet: Quiet = Quiet.HELD
    optional: bool = True


@dataclass(frozen=True, slots=True)
class PreferenceOptions:
    """What holds where users have not said anything."""

    categories: dict[str, CategoryOptions] = option(  # noqa: RUF009 - it makes a field
        {},
        "Categories beside chat, reminders, booking, announcement and marketing, or in their"
        " place: `consent` (needs it), `quiet` (ignored, held or enforced) and `optional`"
        " (users may opt out).",
    )
    quiet_from: str = option("22:00", "From when on marketing waits for who has no quiet hours.")
    quiet_until: str = option("08:00", "Until when it waits, on the wall of the user's phone.")
    ramadan: tuple[str, ...] = option(
        ("01:30-10:30", "18:00-20:30"),
        "Quiet hours of users who ask for the usual ones of Ramadan: after the last meal, and"
        " around the breaking of the fast.",
    )

    marketing_per_day: int = option(
        0,
        "Marketing that a user is told in any 24 hours, at most, of each category; what is too"
        " much waits, or is dropped. 0 is any number.",
    )

    def __post_init__(self) -> None:
        if self.marketing_per_day < 0:
            raise ValueError("marketing_per_day must not be below 0")
        for name in self.categories:
            if name == DISMISSAL:
                raise ValueError(f"categories must not hold {DISMISSAL}: it is ours")
            if not CATEGORY.fullmatch(name):
                raise ValueError(f"categories must be named by {CATEGORY.pattern}, not {name!r}")
        if MARKETING in self.categories and not self.categories[MARKETING].consent:
            raise ValueError(f"categories.{MARKETING} needs consent: the stores of apps demand it")
        for name in ("quiet_from", "quiet_until"):
            _time(name, getattr(self, name))
        for text in self.ramadan:
            _window("ramadan", text)


class Rulebook:
    """The rules of every category, and the usual quiet hours."""

    def __init__(self, options: PreferenceOptions | None = None) -> None:
        chosen = options or PreferenceOptions()
        self.described: Mapping[str, CategoryRule] = dict(BUILT_IN) | {
            name: CategoryRule(name if each.consent else "", each.quiet, each.optional)
            for name, each in chosen.categories.items()
        }
        """Every category that somebody has described, by name."""
        usual = Window(
            _time("quiet_from", chosen.quiet_from), _time("quiet_until", chosen.quiet_until)
        )
        self.usual_quiet = QuietHours((usual,))
        """For who has set none, where they are enforced."""
        self.usual_ramadan = tuple(_window("ramadan", text) for text in chosen.ramadan)
        self.marketing_per_day = chosen.marketing_per_day
        self._marketing = {
            # Whatever it is called, nobody is sold anything who has not agreed to it.
            name: each if each.consent else replace(BUILT_IN[MARKETING], optional=each.optional)
            for name, each in self.described.items()
        }

    def rule(self, category: str, urgency: Urgency) -> CategoryRule:
        """What holds for a category; one that nobody described goes by its urgency."""
        if category == DISMISSAL:
            return _SILENT
        rules = self._marketing if urgency is Urgency.MARKETING else self.described
        return rules.get(category, _BY_URGENCY[urgency])

    def enough_until(self, told: Collection[datetime]) -> datetime | None:
        """When a user may be told more marketing of a category who was told of it then."""
        most = self.marketing_per_day
        if not most or len(told) < most:
            return None
        return sorted(told)[-most] + DAY

    def facts(
        self, said: Said, user_id: UserId, *, category: str, urgency: Urgency, thread: str = ""
    ) -> Facts:
        """What is true about a user when a push of that category is to be decided about."""
        return Facts(
            preferences=said.preferences.get(user_id, NO_PREFERENCES),
            rule=self.rule(category, urgency),
            usual_quiet=self.usual_quiet,
            ramadans=said.ramadans,
            muted=bool(thread) and (thread, user_id) in said.muted,
        )


def _window(name: str, text: str) -> Window:
    start, _, end = text.partition("-")
    return Window(_time(name, start), _time(name, end))


def _time(name: str, text: str) -> time:
    try:
        return time.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{name} must be written like 22:00, not {text!r}") from None


USUAL = Rulebook()
"""The rules where the settings say nothing."""
