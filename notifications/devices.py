"""Devices: register, forget, list. A phone belongs to whoever registered it last."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId, is_user_id
from kernel.options import option
from notifications.errors import DeviceNotFound
from notifications.ports import DeviceStore
from notifications.subscriptions import subscription_of
from notifications.types import AddressKind, Device, Environment, Platform, Registration

_LOCALE = re.compile(
    r"(?P<language>[a-zA-Z]{2,3})"
    r"(?:-(?P<script>[a-zA-Z]{4}))?"
    r"(?:-(?P<region>[a-zA-Z]{2}|[0-9]{3}))?"
    r"(?P<rest>(?:-(?:[a-zA-Z0-9]{5,8}|[0-9][a-zA-Z0-9]{3}))*(?:-[a-zA-Z0-9](?:-[a-zA-Z0-9]{2,8})+)*)"
)
"""A language tag of BCP 47, without the rarely used extended and grandfathered ones."""

LOCALE_LENGTH = 35
"""RFC 5646, 4.4.1: what a tag of the core subtags can need."""

_APNS_ADDRESS = re.compile(r"(?:[0-9a-f]{2}){1,100}")
_FCM_ADDRESS = re.compile(r"[!-~]{1,4096}")
_INSTALLATION = re.compile(r"[!-~]{8,128}")
_APP_VERSION_LENGTH = 64

_PLATFORMS = {
    AddressKind.APNS: frozenset({Platform.IOS}),
    AddressKind.FCM_TOKEN: frozenset(Platform),
    AddressKind.FCM_FID: frozenset(Platform),
    # Android's: UnifiedPush speaks Web Push to apps.
    AddressKind.WEBPUSH: frozenset({Platform.WEB, Platform.ANDROID}),
}
"""Where addresses of each kind are found; topics and conditions are nobody's address."""


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """What a user may register."""

    per_user: int = option(
        25, "Devices of one user; the one confirmed longest ago makes room for the next."
    )

    def __post_init__(self) -> None:
        if self.per_user < 1:
            raise ValueError("per_user must be at least 1")


class Devices:
    """What users and operators may do with devices."""

    def __init__(self, *, store: DeviceStore, clock: Clock, options: DeviceOptions) -> None:
        self._store = store
        self._clock = clock
        self._options = options

    async def register(self, principal: Principal, registration: Registration) -> Device:
        """Make this installation the caller's, exactly as it describes itself.

        An app does this at each start and whenever anything changed; repeating it only
        confirms the device.
        """
        user_id = principal.user
        sound = checked(registration)
        return await self._store.register(
            user_id, sound, now=self._clock.now(), limit=self._options.per_user
        )

    async def forget(self, principal: Principal, device_id: UUID) -> None:
        """Send nothing more to one of the caller's devices: what an app does at log-out."""
        if not await self._store.forget(device_id, owner=principal.user):
            raise DeviceNotFound("You have no such device.")

    async def mine(self, principal: Principal) -> Sequence[Device]:
        """The caller's devices, the one confirmed last first."""
        return await self._of(principal.user)

    async def of_user(self, principal: Principal, user_id: UserId) -> Sequence[Device]:
        """A user's devices, for an operator."""
        principal.require(Scope.DEVICES)
        if not is_user_id(user_id):
            raise InvalidInput("user_id", "must be 1 to 128 printable bytes without white space")
        return await self._of(user_id)

    async def _of(self, user_id: UserId) -> Sequence[Device]:
        return (await self._store.of_users([user_id])).get(user_id, ())


def checked(registration: Registration) -> Registration:
    """The registration in canonical spelling. Raises `InvalidInput`."""
    if not _INSTALLATION.fullmatch(registration.installation_id):
        raise InvalidInput("installation_id", "must be 8 to 128 visible ASCII characters")
    if registration.address_kind not in _PLATFORMS:
        raise InvalidInput("address_kind", "is not the kind of address that a device has")
    if registration.platform not in _PLATFORMS[registration.address_kind]:
        raise InvalidInput("platform", f"has no {registration.address_kind} addresses")
    if not is_time_zone(registration.time_zone):
        raise InvalidInput("time_zone", "is not a time zone of the IANA database")
    version = registration.app_version
    if len(version) > _APP_VERSION_LENGTH or not version.isprintable():
        raise InvalidInput(
            "app_version", f"must be at most {_APP_VERSION_LENGTH} printable characters"
        )
    environment = registration.environment
    if registration.address_kind is not AddressKind.APNS:
        environment = Environment.PRODUCTION
    return replace(
        registration,
        address=_address(registration.address_kind, registration.address),
        environment=environment,
        locale=canonical_locale(registration.locale),
    )


def canonical_locale(text: str) -> str:
    """A language tag as BCP 47 likes it written: `ar_dz` is `ar-DZ`. Raises `InvalidInput`."""
    found = _LOCALE.fullmatch(text.replace("_", "-"))
    if found is None or len(text) > LOCALE_LENGTH:
        raise InvalidInput("locale", "must be a language tag such as fr, ar-DZ or zh-Hant-TW")
    parts = [found["language"].lower()]
    if found["script"]:
        parts.append(found["script"].title())
    if found["region"]:
        parts.append(found["region"].upper())
    return "-".join(parts) + found["rest"].lower()


def is_time_zone(name: str) -> bool:
    """Whether the IANA database has a zone of that name."""
    return name in _time_zones()


@cache
def _time_zones() -> frozenset[str]:
    """The zones of the package tzdata: the same on every machine."""
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


def _address(kind: AddressKind, address: str) -> str:
    if kind is AddressKind.WEBPUSH:
        return subscription_of(address).text
    if kind is AddressKind.APNS:
        # Hexadecimal says the same in either case; one spelling makes one device of it.
        address = address.lower()
        if not _APNS_ADDRESS.fullmatch(address):
            raise InvalidInput("address", "must be 2 to 200 hexadecimal digits, in pairs")
    elif not _FCM_ADDRESS.fullmatch(address):
        raise InvalidInput("address", "must be 1 to 4096 visible ASCII characters")
    return address
