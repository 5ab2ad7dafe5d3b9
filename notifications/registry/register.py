"""The register of devices: what operators may do, and what users do when they leave."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput, Refusal
from kernel.identity import Principal, Scope
from kernel.ids import UserId, is_user_id
from kernel.notices import Urgency
from kernel.paging import Page, cursor_of, id_in
from notifications.audit.ports import Audit
from notifications.audit.types import deed_of
from notifications.devices import checked
from notifications.errors import AppNotFound, DeviceNotFound
from notifications.planning import obstacle
from notifications.registry.ports import DeviceRegistry
from notifications.registry.types import (
    Arrival,
    DeviceCount,
    DeviceQuery,
    Imported,
    Inspected,
)
from notifications.types import Device

PAGE = 1000
"""Devices in one page, at most."""

BATCH = 500
"""Devices in one import, at most."""

PUSHES = 20
"""So many of its last pushes are shown of a device."""


class Register:
    """Devices in any number: list, inspect, import, export."""

    def __init__(
        self, *, registry: DeviceRegistry, audit: Audit, clock: Clock, per_user: int
    ) -> None:
        self._registry = registry
        self._audit = audit
        self._clock = clock
        self._per_user = per_user

    async def page(
        self, principal: Principal, query: DeviceQuery, *, cursor: str | None, limit: int
    ) -> Page[Device]:
        """Devices that agree with `query`, in the order of their first registration."""
        principal.require(Scope.DEVICES)
        return await self._page(query, cursor, limit)

    async def export(
        self, principal: Principal, query: DeviceQuery, *, cursor: str | None, limit: int
    ) -> Page[Device]:
        """The same, to be imported elsewhere, so with addresses. Its beginning is recorded."""
        principal.require(Scope.DEVICES)
        page = await self._page(query, cursor, limit)
        if cursor is None:
            subject = f"app:{query.app_id or '*'}"
            deed = deed_of(principal, "devices.exported", subject, user_id=query.user_id)
            await self._audit.record([deed], now=self._clock.now())
        return page

    async def inspect(self, principal: Principal, device_id: UUID) -> Inspected:
        """All that is known of a device, and which classes of pushes it gets."""
        principal.require(Scope.DEVICES)
        found = await self._registry.get(device_id)
        if found is None:
            raise DeviceNotFound("There is no such device.")
        device, registered_at = found
        return Inspected(
            device,
            registered_at,
            self._obstacles(device),
            await self._registry.pushes(device, limit=PUSHES),
        )

    async def counts(self, principal: Principal) -> Sequence[DeviceCount]:
        """How many devices there are, by app, platform and state. Reads all of them."""
        principal.require(Scope.DEVICES)
        return await self._registry.counts()

    async def remove(self, principal: Principal, device_id: UUID) -> None:
        """Forget anybody's device, for an operator."""
        principal.require(Scope.DEVICES)
        deed = deed_of(principal, "device.removed", f"device:{device_id}")
        if not await self._registry.remove(device_id, deed=deed, now=self._clock.now()):
            raise DeviceNotFound("There is no such device.")

    async def logout(self, principal: Principal, *, installation_id: str) -> int:
        """Send nothing more to this installation of the caller's, from now on; how many went.

        Knowing one's installation is enough: an app that logs out need not know what the
        server calls it. With "", every device of the caller's goes.
        """
        return await self._registry.logout(principal.user, installation_id=installation_id)

    async def bring(
        self, principal: Principal, imported: Sequence[Imported]
    ) -> Sequence[Arrival | Refusal]:
        """Register devices from elsewhere; what became of each, in order.

        A refused one does not hold up the others. Bringing the same again changes nothing.
        """
        principal.require(Scope.DEVICES)
        if not 1 <= len(imported) <= BATCH:
            raise InvalidInput("devices", f"must hold 1 to {BATCH} devices")
        now = self._clock.now()
        said = [_sound(each, now) for each in imported]
        sound = [each for each in said if isinstance(each, Imported)]
        deed = deed_of(principal, "devices.imported", "devices:*", devices=len(sound))
        arrived = iter(
            await self._registry.bring(sound, limit=self._per_user, deed=deed, now=now)
            if sound
            else ()
        )
        found = [next(arrived) if isinstance(each, Imported) else each for each in said]
        return [_homeless if each is Arrival.NO_APP else each for each in found]

    async def _page(self, query: DeviceQuery, cursor: str | None, limit: int) -> Page[Device]:
        if not 1 <= limit <= PAGE:
            raise InvalidInput("limit", f"must be 1 to {PAGE}")
        after = None if cursor is None else id_in(cursor)
        found = await self._registry.page(query, after=after, limit=limit + 1)
        more = len(found) > limit
        return Page(found[:limit], cursor_of(str(found[limit - 1].id)) if more else None)

    def _obstacles(self, device: Device) -> Mapping[Urgency, str]:
        now = self._clock.now()
        found = {urgency: obstacle(device, urgency, now=now) for urgency in Urgency}
        return {urgency: reason for urgency, reason in found.items() if reason is not None}


_homeless = AppNotFound("There is no such app.")


def _sound(imported: Imported, now: datetime) -> Imported | Refusal:
    """The device in canonical spelling, or why it is none."""
    if not is_user_id(imported.user_id):
        return InvalidInput("user_id", "must be 1 to 128 printable bytes without white space")
    if imported.confirmed_at > now:
        return InvalidInput("confirmed_at", "must not be in the future")
    try:
        sound = checked(imported.registration)
    except InvalidInput as refused:
        return refused
    return Imported(UserId(imported.user_id), sound, imported.confirmed_at)
