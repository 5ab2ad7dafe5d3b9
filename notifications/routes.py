"""What can be asked of devices, over HTTP and over a connection, and of a notification."""

from collections.abc import Sequence
from dataclasses import fields

import msgspec

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation, Nothing, Operation
from notifications import schemas
from notifications.devices import Devices
from notifications.errors import (
    AppNotFound,
    DeviceNotFound,
    NotificationNotFound,
)
from notifications.pushes import Notification, PushRecord
from notifications.sends.sends import Sends
from notifications.types import Device, Registration


def operations(*, devices: Devices, sends: Sends) -> list[AnyOperation]:
    """What users and servers may ask of devices, and servers of a notification."""
    return [*_of_devices(devices), *_of_pushes(sends)]


def _of_devices(devices: Devices) -> list[AnyOperation]:
    async def register(principal: Principal, body: schemas.RegisterDevice) -> schemas.DeviceBody:
        registration = msgspec.convert(body, Registration, from_attributes=True)
        return device_body(await devices.register(principal, registration))

    async def forget(principal: Principal, body: schemas.DeviceId) -> Nothing:
        await devices.forget(principal, body.device_id)
        return Nothing()

    async def mine(principal: Principal, _: Nothing) -> schemas.DeviceList:
        return _devices(await devices.mine(principal))

    async def of_user(principal: Principal, body: schemas.OfUser) -> schemas.DeviceList:
        return _devices(await devices.of_user(principal, UserId(body.user_id)))

    return [
        Operation(
            name="devices.register",
            method="POST",
            path="/v1/devices",
            summary="Register this installation for pushes, or confirm it.",
            takes=schemas.RegisterDevice,
            gives=schemas.DeviceBody,
            run=register,
            rpc=True,
            refusals=(InvalidInput, AppNotFound, Denied),
        ),
        Operation(
            name="devices.list",
            method="GET",
            path="/v1/devices",
            summary="List your devices.",
            takes=Nothing,
            gives=schemas.DeviceList,
            run=mine,
            rpc=True,
            refusals=(Denied,),
        ),
        Operation(
            name="devices.forget",
            method="DELETE",
            path="/v1/devices/{device_id}",
            summary="Send nothing more to one of your devices.",
            takes=schemas.DeviceId,
            gives=Nothing,
            run=forget,
            rpc=True,
            refusals=(DeviceNotFound, Denied),
        ),
        Operation(
            name="devices.of_user",
            method="GET",
            path="/admin/v1/users/{user_id}/devices",
            summary="List a user's devices.",
            takes=schemas.OfUser,
            gives=schemas.DeviceList,
            run=of_user,
            scope=Scope.DEVICES,
            refusals=(Denied,),
        ),
    ]


def _of_pushes(sends: Sends) -> list[AnyOperation]:
    async def get(principal: Principal, body: schemas.EitherId) -> schemas.NotificationBody:
        return _notification(*await sends.notification(principal, body.id))

    return [
        Operation(
            name="pushes.get",
            method="GET",
            path="/admin/v1/pushes/{id}",
            summary="See what became of a notification and its pushes.",
            takes=schemas.EitherId,
            gives=schemas.NotificationBody,
            run=get,
            scope=Scope.PUSHES,
            refusals=(NotificationNotFound, Denied),
        ),
    ]


def _devices(devices: Sequence[Device]) -> schemas.DeviceList:
    return schemas.DeviceList([device_body(each) for each in devices])


def device_body(device: Device) -> schemas.DeviceBody:
    """A device as its owner and operators see it."""
    return msgspec.convert(device, schemas.DeviceBody, from_attributes=True)


def _notification(
    notification: Notification, pushes: Sequence[PushRecord]
) -> schemas.NotificationBody:
    told = {name: getattr(notification, name) for name in _TOLD}
    bodies = msgspec.convert(pushes, list[schemas.PushBody], from_attributes=True)
    return schemas.NotificationBody(**told, pushes=bodies)


_TOLD = tuple(field.name for field in fields(Notification))
