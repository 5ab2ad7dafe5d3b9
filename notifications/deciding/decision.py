"""Whether a push goes out, now, later or never: the one place that decides. Pure.

Every push passes here when it is planned, and again when it is about to be sent; what an
operator asks about an imagined one passes here too.
"""

from collections.abc import Callable
from datetime import datetime

from notifications.deciding.quiet import quiet_until
from notifications.deciding.types import (
    Answer,
    Asked,
    Decision,
    Explained,
    Facts,
    Quiet,
    QuietHours,
    Reason,
    UserPreferences,
)

SENT = Decision(Answer.SEND)

NO_PREFERENCES = UserPreferences()
"""Those of a user who has never said anything."""


def decide(asked: Asked, facts: Facts) -> Decision:
    """What becomes of a push: the first rule that has something against it says so."""
    if _is_unopposed(asked, facts):
        return SENT
    for _, rule in _RULES:
        decision = rule(asked, facts)
        if decision.answer is not Answer.SEND:
            return decision
    return SENT


def explain(asked: Asked, facts: Facts) -> Explained:
    """The same decision, and what every rule says, those that were not reached too."""
    said = [(name, rule(asked, facts)) for name, rule in _RULES]
    first = next((each for _, each in said if each.answer is not Answer.SEND), SENT)
    return Explained(first, said)


def is_on(preferences: UserPreferences, category: str, device_id: str | None) -> bool:
    """Whether a category is wanted, on a device or in general."""
    chosen = preferences.categories.get(category, True)
    if device_id is None:
        return chosen
    return preferences.devices.get(device_id, {}).get(category, chosen)


def is_free(category: str, facts: Facts) -> bool:
    """Whether the facts have nothing against this category, at any hour and on any device."""
    preferences = facts.preferences
    return (
        not facts.rule.consent
        and preferences.categories.get(category, True)
        and not preferences.devices
        and hours_for(category, facts) is None
        and not facts.muted
        and facts.busy_until is None
        and facts.enough_until is None
    )


def _is_unopposed(asked: Asked, facts: Facts) -> bool:
    """Whether every rule passes it, seen at a glance: most pushes are chat."""
    return (
        is_free(asked.category, facts)
        and asked.expires_at > asked.at
        and asked.disabled_reason is None
        and asked.permitted
        and not asked.alarmed
        and not _is_stale(asked)
    )


def _is_stale(asked: Asked) -> bool:
    return (
        asked.confirmed_at is not None
        and asked.stale_before is not None
        and asked.confirmed_at < asked.stale_before
    )


def _time(asked: Asked, _facts: Facts) -> Decision:
    if asked.expires_at <= asked.at:
        return _never(Reason.EXPIRED, "It no longer matters.")
    return _passed("It matters until " + _said(asked.expires_at) + ".")


def _device(asked: Asked, _facts: Facts) -> Decision:
    if asked.disabled_reason is not None:
        return _never(Reason.DEVICE_DISABLED, f"Its address is gone: {asked.disabled_reason}.")
    if not asked.permitted:
        return _never(Reason.NOT_PERMITTED, "The user lets the app show no notifications there.")
    if asked.confirmed_at is None:
        return _passed("No device is named.")
    started = f"The app was last started {_said(asked.confirmed_at)}."
    return _never(Reason.DEVICE_STALE, started) if _is_stale(asked) else _passed(started)


def _alarm(asked: Asked, _facts: Facts) -> Decision:
    if asked.alarmed:
        return _never(
            Reason.LOCAL_ALARM, "The device holds an alarm for it, and shows it by itself."
        )
    return _passed("The device holds no alarm for it.")


def _consent(asked: Asked, facts: Facts) -> Decision:
    category = facts.rule.consent
    if not category:
        return _passed("The category needs no consent.")
    consent = facts.preferences.consents.get(category)
    if consent is None:
        return _never(Reason.NO_CONSENT, f"The user has never agreed to {category}.")
    said = f"on {_said(consent.at)}, to the text {consent.text_version!r}"
    if not consent.given:
        return _never(Reason.NO_CONSENT, f"The user withdrew consent {said}.")
    return _passed(f"The user agreed {said}.")


def _category(asked: Asked, facts: Facts) -> Decision:
    if not facts.rule.optional:
        return _passed("Nobody can opt out of this category.")
    if not is_on(facts.preferences, asked.category, None) and asked.device_id is None:
        return _never(Reason.OPTED_OUT, "The user has opted out of this category.")
    if asked.device_id is None:
        return _passed("The user has not opted out.")
    device = str(asked.device_id)
    if is_on(facts.preferences, asked.category, device):
        return _passed("The user has not opted out.")
    if asked.category in facts.preferences.devices.get(device, {}):
        return _never(
            Reason.OPTED_OUT_ON_DEVICE, "The user has opted out of this category on this device."
        )
    return _never(Reason.OPTED_OUT, "The user has opted out of this category.")


def _mute(_asked: Asked, facts: Facts) -> Decision:
    if facts.muted:
        return _never(Reason.MUTED, "The user has muted the conversation.")
    return _passed("The user has muted nothing that this is about.")


def _quiet(asked: Asked, facts: Facts) -> Decision:
    hours = hours_for(asked.category, facts)
    if hours is not None and asked.exact and not _also_then(asked.category, facts):
        return _passed("The user chose this very time, so quiet hours do not hold it back.")
    if hours is None:
        return _passed("Quiet hours do not concern it, or the user has none.")
    until = quiet_until(asked.at, hours, device_zone=asked.time_zone, ramadans=facts.ramadans)
    if until is None:
        return _passed("It is not quiet where the user is.")
    why = f"It is quiet where the user is until {_said(until)}."
    if until >= asked.expires_at:
        return _never(Reason.QUIET_HOURS, f"{why} By then it no longer matters.")
    return Decision(Answer.HOLD, Reason.QUIET_HOURS, until, why)


def _cap(asked: Asked, facts: Facts) -> Decision:
    until = facts.enough_until
    if until is None or until <= asked.at:
        return _passed("The user has not been told too much of this category lately.")
    why = f"The user has been told enough of this category until {_said(until)}."
    if until >= asked.expires_at:
        return _never(Reason.FREQUENCY_CAP, f"{why} By then it no longer matters.")
    return Decision(Answer.HOLD, Reason.FREQUENCY_CAP, until, why)


def _pace(asked: Asked, facts: Facts) -> Decision:
    busy = facts.busy_until
    if busy is None or busy <= asked.at:
        return _passed("The device was told nothing of this thread just now.")
    return Decision(
        Answer.HOLD,
        Reason.BUSY_THREAD,
        busy,
        f"The device was just told of this thread; what comes is counted until {_said(busy)}.",
    )


def hours_for(category: str, facts: Facts) -> QuietHours | None:
    """The quiet hours that concern a category; None if it may be told at any hour."""
    own = facts.preferences.quiet
    if own is not None and (facts.rule.quiet is not Quiet.IGNORED or _also_then(category, facts)):
        return own
    return facts.usual_quiet if facts.rule.quiet is Quiet.ENFORCED else None


def _also_then(category: str, facts: Facts) -> bool:
    """Whether the user has said by name that quiet hours concern a category."""
    own = facts.preferences.quiet
    return own is not None and category in own.also


_RULES: tuple[tuple[str, Callable[[Asked, Facts], Decision]], ...] = (
    ("time", _time),
    ("device", _device),
    ("alarm", _alarm),
    ("consent", _consent),
    ("category", _category),
    ("mute", _mute),
    ("quiet_hours", _quiet),
    ("frequency", _cap),
    ("pace", _pace),
)
"""In the order in which they are asked: what ends a push comes before what delays it."""


def _passed(why: str) -> Decision:
    return Decision(Answer.SEND, why=why)


def _never(reason: Reason, why: str) -> Decision:
    return Decision(Answer.SUPPRESS, reason, why=why)


def _said(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
