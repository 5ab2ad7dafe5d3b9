"""Between preferences and the bodies of their API. Pure."""

from collections.abc import Sequence
from datetime import time
from typing import Any

import msgspec

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.deciding.categories import Rulebook
from notifications.deciding.decision import is_on
from notifications.deciding.types import (
    ConsentRecord,
    QuietHours,
    Ramadan,
    UserPreferences,
    Window,
)
from notifications.preferences import schemas
from notifications.preferences.explain import Explanation, OnDevice
from notifications.preferences.preferences import USUAL_RAMADAN, Wishes

_DAYS = list(schemas.Weekday)


def wishes_of(body: schemas.QuietBody) -> Wishes:
    """The quiet hours that a body asks for."""
    usual = body.ramadan == USUAL_RAMADAN
    ramadan = None if isinstance(body.ramadan, str) else body.ramadan
    hours = QuietHours(
        windows=_windows(body.windows),
        weekend=None if body.weekend is None else _windows(body.weekend),
        weekend_days=tuple(_DAYS.index(each) for each in body.weekend_days),
        ramadan=None if ramadan is None else _windows(ramadan),
        zone=body.zone,
        also=tuple(body.also),
    )
    return Wishes(hours, usual_ramadan=usual)


def preferences_body(said: UserPreferences, rulebook: Rulebook) -> schemas.PreferencesBody:
    """All that a user has said, with every category that there is."""
    names = {*rulebook.described, *said.categories, *said.consents}
    return schemas.PreferencesBody(
        categories=[_category(name, said, rulebook) for name in sorted(names)],
        devices={device: dict(choices) for device, choices in said.devices.items()},
        quiet_hours=None if said.quiet is None else _quiet(said.quiet),
    )


def records_body(records: Sequence[ConsentRecord]) -> schemas.ConsentRecords:
    return schemas.ConsentRecords(_converted(records, list[schemas.ConsentRecordBody]))


def ramadans_body(ramadans: Sequence[Ramadan]) -> schemas.RamadanList:
    return schemas.RamadanList(_converted(ramadans, list[schemas.RamadanBody]))


def ramadan_body(ramadan: Ramadan) -> schemas.RamadanBody:
    return msgspec.convert(ramadan, schemas.RamadanBody, from_attributes=True)


def explanation_body(explanation: Explanation) -> schemas.ExplanationBody:
    return schemas.ExplanationBody(
        user_id=explanation.user_id,
        category=explanation.category,
        urgency=explanation.urgency,
        at=explanation.at,
        notification_id=explanation.notification_id,
        devices=[_on_device(each) for each in explanation.devices],
    )


def named(user_id: str | None) -> UserId | None:
    """A user whom a body may name."""
    return None if user_id is None else UserId(user_id)


def _category(name: str, said: UserPreferences, rulebook: Rulebook) -> schemas.CategoryBody:
    rule = rulebook.rule(name, Urgency.TRANSACTIONAL)
    consent = said.consents.get(name)
    return schemas.CategoryBody(
        name=name,
        enabled=is_on(said, name, None),
        optional=rule.optional,
        needs_consent=bool(rule.consent),
        consent=None
        if consent is None
        else schemas.ConsentBody(consent.given, consent.text_version, consent.at),
        quiet=rule.quiet,
    )


def _quiet(hours: QuietHours) -> schemas.QuietBody:
    return schemas.QuietBody(
        windows=_window_bodies(hours.windows),
        weekend=None if hours.weekend is None else _window_bodies(hours.weekend),
        weekend_days=[_DAYS[each] for each in hours.weekend_days],
        ramadan=None if hours.ramadan is None else _window_bodies(hours.ramadan),
        zone=hours.zone,
        also=list(hours.also),
    )


def _on_device(on: OnDevice) -> schemas.OnDeviceBody:
    decision = None if on.explained is None else on.explained.decision
    return schemas.OnDeviceBody(
        device_id=on.device.id if on.device else on.push.device_id if on.push else None,
        platform=on.device.platform if on.device else None,
        answer=decision.answer if decision else None,
        reason=decision.reason if decision else None,
        until=decision.until if decision else None,
        rules=[
            schemas.RuleBody(name, each.answer, each.reason, each.until, each.why)
            for name, each in (on.explained.rules if on.explained else ())
        ],
        push=None
        if on.push is None
        else msgspec.convert(on.push, schemas.RecordBody, from_attributes=True),
    )


def _windows(bodies: Sequence[schemas.WindowBody]) -> tuple[Window, ...]:
    return tuple(
        Window(time.fromisoformat(each.start), time.fromisoformat(each.end)) for each in bodies
    )


def _window_bodies(windows: Sequence[Window]) -> list[schemas.WindowBody]:
    return [
        schemas.WindowBody(each.start.strftime("%H:%M"), each.end.strftime("%H:%M"))
        for each in windows
    ]


def _converted(values: object, kind: Any) -> Any:
    return msgspec.convert(values, kind, from_attributes=True)
