"""Preferences: what users choose, agree to, and when they want quiet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId, is_user_id, new_id
from kernel.notices import Urgency
from notifications.audit.types import actor_of, deed_of
from notifications.deciding.categories import CATEGORY, Rulebook
from notifications.deciding.decision import NO_PREFERENCES
from notifications.deciding.types import (
    Consent,
    ConsentRecord,
    QuietHours,
    UserPreferences,
    Window,
)
from notifications.devices import is_time_zone
from notifications.errors import DeviceNotFound
from notifications.ports import DeviceStore
from notifications.preferences.ports import PreferenceStore

CHOICES = 64
"""Categories that a user may choose about; nobody is shown more switches."""
WINDOWS = 6
RECORDS = 100
"""Entries of the record of consent that are shown."""

USUAL_RAMADAN: Literal["usual"] = "usual"
"""How an app asks for the windows that the operator chose for Ramadan."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Quiet hours as somebody asks for them; Ramadan may be as usual."""

    hours: QuietHours
    usual_ramadan: bool = False


class Preferences:
    """Users speak for themselves; servers with the scope `pushes` for anybody."""

    def __init__(
        self, *, store: PreferenceStore, devices: DeviceStore, rulebook: Rulebook, clock: Clock
    ) -> None:
        self._store = store
        self._devices = devices
        self._rulebook = rulebook
        self._clock = clock

    @property
    def rulebook(self) -> Rulebook:
        """What holds where users have not said anything."""
        return self._rulebook

    async def get(self, principal: Principal, user_id: UserId | None = None) -> UserPreferences:
        """All that the user has said."""
        user = _speaking_for(principal, user_id)
        return (await self._store.of_users([user])).get(user, NO_PREFERENCES)

    async def choose(
        self,
        principal: Principal,
        category: str,
        *,
        enabled: bool,
        device_id: UUID | None = None,
        user_id: UserId | None = None,
    ) -> UserPreferences:
        """Opt out of a category, or in again, on one device or on all."""
        user = _speaking_for(principal, user_id)
        _check_category(category)
        if not enabled and not self._rulebook.rule(category, Urgency.TRANSACTIONAL).optional:
            raise InvalidInput("category", "is one that nobody can opt out of")
        if device_id is not None:
            await self._check_device(user, device_id)
        deed = deed_of(
            principal,
            "preference.changed",
            f"category:{category}",
            user_id=user,
            enabled=enabled,
            device_id=None if device_id is None else str(device_id),
        )

        def change(before: UserPreferences) -> UserPreferences:
            if device_id is None:
                return replace(before, categories=_with(before.categories, category, enabled))
            own = _with(before.devices.get(str(device_id), {}), category, enabled)
            return replace(before, devices={**before.devices, str(device_id): own})

        return await self._store.change(user, change, deed=deed, now=self._clock.now())

    async def be_quiet(
        self, principal: Principal, wishes: Wishes | None, *, user_id: UserId | None = None
    ) -> UserPreferences:
        """Set quiet hours, or have none any more."""
        user = _speaking_for(principal, user_id)
        hours = None if wishes is None else self._checked(wishes)
        deed = deed_of(
            principal,
            "preference.changed",
            "quiet_hours",
            user_id=user,
            set=hours is not None,
            ramadan=hours is not None and hours.ramadan is not None,
        )
        return await self._store.change(
            user,
            lambda before: replace(before, quiet=hours),
            deed=deed,
            now=self._clock.now(),
        )

    async def consent(
        self,
        principal: Principal,
        category: str,
        *,
        given: bool,
        text_version: str,
        source: str,
        user_id: UserId | None = None,
    ) -> UserPreferences:
        """Record that the user agreed to a category, or withdrew that, and to which words."""
        user = _speaking_for(principal, user_id)
        _check_category(category)
        now = self._clock.now()
        record = ConsentRecord(
            id=new_id(now),
            user_id=user,
            category=category,
            given=given,
            text_version=text_version,
            source=source,
            # Users are named in one column only, so that erasing them leaves nothing.
            recorded_by=actor_of(principal) if principal.key_id else "user",
            recorded_at=now,
        )
        deed = deed_of(
            principal,
            "consent.given" if given else "consent.withdrawn",
            f"consent:{record.id}",
            user_id=user,
            category=category,
            text_version=text_version,
            source=source,
        )
        said = Consent(given, text_version, now)
        return await self._store.record(
            record,
            lambda before: replace(before, consents={**before.consents, category: said}),
            deed=deed,
        )

    async def consents(
        self, principal: Principal, user_id: UserId | None = None
    ) -> Sequence[ConsentRecord]:
        """The record of the user's consent, newest first."""
        return await self._store.consents(_speaking_for(principal, user_id), limit=RECORDS)

    async def _check_device(self, user: UserId, device_id: UUID) -> None:
        devices = (await self._devices.of_users([user])).get(user, ())
        if all(each.id != device_id for each in devices):
            raise DeviceNotFound("The user has no such device.")

    def _checked(self, wishes: Wishes) -> QuietHours:
        hours = wishes.hours
        if wishes.usual_ramadan:
            hours = replace(hours, ramadan=self._rulebook.usual_ramadan)
        for name in ("windows", "weekend", "ramadan"):
            _check_windows(name, getattr(hours, name) or ())
        if hours.zone and not is_time_zone(hours.zone):
            raise InvalidInput("zone", "is not a time zone of the IANA database")
        if not all(0 <= day <= 6 for day in hours.weekend_days):
            raise InvalidInput("weekend_days", "must be days from monday to sunday")
        for category in hours.also:
            _check_category(category, field="also")
        return hours


def _speaking_for(principal: Principal, user_id: UserId | None) -> UserId:
    """The user whose preferences are meant: one's own, or for a server the one it names."""
    if user_id is None:
        return principal.user
    principal.require(Scope.PUSHES)
    if not is_user_id(user_id):
        raise InvalidInput("user_id", "must be 1 to 128 printable bytes without white space")
    return user_id


def _check_category(category: str, *, field: str = "category") -> None:
    if not CATEGORY.fullmatch(category):
        raise InvalidInput(field, f"must match {CATEGORY.pattern}")


def _check_windows(name: str, windows: Sequence[Window]) -> None:
    if len(windows) > WINDOWS:
        raise InvalidInput(name, f"must hold at most {WINDOWS} windows")
    for window in windows:
        if window.start.tzinfo is not None or window.end.tzinfo is not None:
            raise InvalidInput(name, "must hold times of the wall, without an offset")
        if window.start == window.end:
            raise InvalidInput(name, "must leave some of the day")


def _with(choices: Mapping[str, bool], category: str, enabled: bool) -> Mapping[str, bool]:
    changed = {**choices, category: enabled}
    if len(changed) > CHOICES:
        raise InvalidInput("category", f"is the {CHOICES + 1}th: there are no more switches")
    return changed
