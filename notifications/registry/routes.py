"""What can be asked of the register of devices."""

from collections import Counter

import msgspec

from kernel.errors import Denied, InvalidInput, Refusal
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation, Nothing, Operation
from notifications import schemas as room
from notifications.errors import DeviceNotFound
from notifications.registry import schemas
from notifications.registry.erasure import Erasure
from notifications.registry.register import Register
from notifications.registry.types import DeviceQuery, Imported, Inspected
from notifications.routes import device_body
from notifications.types import Device, Registration


def operations(*, register: Register, erasure: Erasure) -> list[AnyOperation]:
    """Everything about devices in any number, and leaving."""
    return [*_of_users(register), *_of_one(register), *_of_many(register), _erase(erasure)]


def _of_users(register: Register) -> list[AnyOperation]:
    async def logout(principal: Principal, body: schemas.Logout) -> schemas.LoggedOut:
        left = await register.logout(principal, installation_id=body.installation_id)
        return schemas.LoggedOut(left)

    async def logout_everywhere(principal: Principal, _: Nothing) -> schemas.LoggedOut:
        return schemas.LoggedOut(await register.logout(principal, installation_id=""))

    return [
        Operation(
            name="devices.logout",
            method="POST",
            path="/v1/devices/logout",
            summary="Send nothing more to this installation, from now on.",
            takes=schemas.Logout,
            gives=schemas.LoggedOut,
            run=logout,
            rpc=True,
            refusals=(Denied,),
        ),
        Operation(
            name="devices.logout_everywhere",
            method="DELETE",
            path="/v1/devices",
            summary="Send nothing more to any of your devices, from now on.",
            takes=Nothing,
            gives=schemas.LoggedOut,
            run=logout_everywhere,
            rpc=True,
            refusals=(Denied,),
        ),
    ]


def _of_one(register: Register) -> list[AnyOperation]:
    async def inspect(principal: Principal, body: room.DeviceId) -> schemas.InspectedBody:
        return _inspected(await register.inspect(principal, body.device_id))

    async def remove(principal: Principal, body: room.DeviceId) -> Nothing:
        await register.remove(principal, body.device_id)
        return Nothing()

    return [
        Operation(
            name="devices.inspect",
            method="GET",
            path="/admin/v1/devices/{device_id}",
            summary="See all that is known of a device, and which pushes it gets.",
            takes=room.DeviceId,
            gives=schemas.InspectedBody,
            run=inspect,
            scope=Scope.DEVICES,
            refusals=(DeviceNotFound, Denied),
        ),
        Operation(
            name="devices.remove",
            method="DELETE",
            path="/admin/v1/devices/{device_id}",
            summary="Send nothing more to a device.",
            takes=room.DeviceId,
            gives=Nothing,
            run=remove,
            scope=Scope.DEVICES,
            refusals=(DeviceNotFound, Denied),
        ),
    ]


def _of_many(register: Register) -> list[AnyOperation]:
    async def find(principal: Principal, body: schemas.FindDevices) -> schemas.DevicePage:
        page = await register.page(principal, _query(body), cursor=body.cursor, limit=body.limit)
        return schemas.DevicePage([device_body(each) for each in page.items], page.cursor)

    async def export(principal: Principal, body: schemas.FindDevices) -> schemas.ExportPage:
        page = await register.export(principal, _query(body), cursor=body.cursor, limit=body.limit)
        return schemas.ExportPage([_exported(each) for each in page.items], page.cursor)

    async def count(principal: Principal, _: Nothing) -> schemas.CountList:
        counts = await register.counts(principal)
        return schemas.CountList(
            msgspec.convert(counts, list[schemas.CountBody], from_attributes=True)
        )

    async def bring(principal: Principal, body: schemas.ImportDevices) -> schemas.ImportedDevices:
        said = await register.bring(principal, [_imported(each) for each in body.devices])
        return schemas.ImportedDevices(
            counts=Counter(each for each in said if not isinstance(each, Refusal)),
            refused=[
                schemas.RefusedDevice(index, each.code, each.message)
                for index, each in enumerate(said)
                if isinstance(each, Refusal)
            ],
        )

    return [
        Operation(
            name="devices.find",
            method="GET",
            path="/admin/v1/devices",
            summary="List devices, by app, user, platform and state.",
            takes=schemas.FindDevices,
            gives=schemas.DevicePage,
            run=find,
            scope=Scope.DEVICES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="devices.count",
            method="GET",
            path="/admin/v1/device-counts",
            summary="Count devices by app, platform and state.",
            takes=Nothing,
            gives=schemas.CountList,
            run=count,
            scope=Scope.DEVICES,
            refusals=(Denied,),
        ),
        Operation(
            name="devices.export",
            method="GET",
            path="/admin/v1/device-export",
            summary="List devices with their addresses, to import them elsewhere.",
            takes=schemas.FindDevices,
            gives=schemas.ExportPage,
            run=export,
            scope=Scope.DEVICES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="devices.import",
            method="POST",
            path="/admin/v1/device-import",
            summary="Register devices from elsewhere; what was confirmed later here stays.",
            takes=schemas.ImportDevices,
            gives=schemas.ImportedDevices,
            run=bring,
            scope=Scope.DEVICES,
            refusals=(InvalidInput, Denied),
        ),
    ]


def _erase(erasure: Erasure) -> AnyOperation:
    async def erase(principal: Principal, body: room.OfUser) -> schemas.Erased:
        return schemas.Erased(dict(await erasure.erase(principal, UserId(body.user_id))))

    return Operation(
        name="notifications.erase",
        method="POST",
        path="/admin/v1/users/{user_id}/notifications/erase",
        summary="Erase a user from notifications and reminders; counts stay right.",
        takes=room.OfUser,
        gives=schemas.Erased,
        run=erase,
        scope=Scope.USERS,
        refusals=(InvalidInput, Denied),
    )


def _query(body: schemas.FindDevices) -> DeviceQuery:
    user_id = UserId(body.user_id) if body.user_id else None
    return DeviceQuery(body.app_id, user_id, body.platform, body.state)


def _imported(body: schemas.ExportedDevice) -> Imported:
    registration = msgspec.convert(body, Registration, from_attributes=True)
    return Imported(UserId(body.user_id), registration, body.confirmed_at)


def _exported(device: Device) -> schemas.ExportedDevice:
    return msgspec.convert(device, schemas.ExportedDevice, from_attributes=True)


def _inspected(found: Inspected) -> schemas.InspectedBody:
    return schemas.InspectedBody(
        device=device_body(found.device),
        registered_at=found.registered_at,
        obstacles=dict(found.obstacles),
        pushes=msgspec.convert(found.pushes, list[schemas.SentPushBody], from_attributes=True),
    )
