"""What can be asked of notifications, over HTTP and, for devices, over a connection."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from uuid import UUID

import msgspec

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation, Nothing, Operation
from notifications import schemas
from notifications.campaigns import Campaigns, Progress
from notifications.devices import Devices
from notifications.errors import (
    AppNotFound,
    CampaignNotFound,
    CampaignOver,
    CampaignStarted,
    DeviceNotFound,
    IdempotencyMismatch,
    NotificationNotFound,
    PushTooLarge,
    TemplateInvalid,
    TemplateNotFound,
    VariableMissing,
    VariableUnfit,
    VariableUnknown,
)
from notifications.pushes import Notification, PushRecord, PushState
from notifications.sends.sends import Sends
from notifications.types import Device, Registration, Text

_FILLING = (VariableMissing, VariableUnknown, VariableUnfit, PushTooLarge)


def operations(*, devices: Devices, sends: Sends, campaigns: Campaigns) -> list[AnyOperation]:
    """Everything users and servers may ask of this room."""
    return [*_of_devices(devices), *_of_pushes(sends), *_of_campaigns(campaigns)]


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


def _of_campaigns(campaigns: Campaigns) -> list[AnyOperation]:
    async def create(principal: Principal, body: schemas.CreateCampaign) -> schemas.CampaignBody:
        progress = await campaigns.create(
            principal,
            name=body.name,
            texts={locale: Text(text.title, text.body) for locale, text in body.texts.items()},
            template=body.template,
            version=body.version,
            variables=body.variables,
            locales=tuple(body.locales),
            link=body.link,
            data=body.data,
            expires_after=body.expires_after,
            idempotency_key=body.idempotency_key,
        )
        return _campaign(progress)

    async def fill(principal: Principal, body: schemas.FillCampaign) -> schemas.CampaignBody:
        theirs = {UserId(user_id): own for user_id, own in body.variables_of.items()}
        return _campaign(await campaigns.fill(principal, body.campaign_id, theirs))

    def by_id(
        name: str,
        method: str,
        path: str,
        summary: str,
        act: Callable[[Principal, UUID], Awaitable[Progress]],
    ) -> AnyOperation:
        async def run(principal: Principal, body: schemas.CampaignId) -> schemas.CampaignBody:
            return _campaign(await act(principal, body.campaign_id))

        return Operation(
            name=f"campaigns.{name}",
            method="GET" if method == "GET" else "POST",
            path=f"/admin/v1/campaigns/{{campaign_id}}{path}",
            summary=summary,
            takes=schemas.CampaignId,
            gives=schemas.CampaignBody,
            run=run,
            scope=Scope.CAMPAIGNS,
            refusals=(CampaignNotFound, CampaignOver, Denied),
        )

    return [
        Operation(
            name="campaigns.create",
            method="POST",
            path="/admin/v1/campaigns",
            summary="Write a campaign down, without sending it.",
            takes=schemas.CreateCampaign,
            gives=schemas.CampaignBody,
            run=create,
            scope=Scope.CAMPAIGNS,
            status=201,
            refusals=(
                InvalidInput,
                IdempotencyMismatch,
                TemplateInvalid,
                TemplateNotFound,
                *_FILLING,
                Denied,
            ),
        ),
        Operation(
            name="campaigns.fill",
            method="POST",
            path="/admin/v1/campaigns/{campaign_id}/variables",
            summary="Give single users of a draft variables of their own.",
            takes=schemas.FillCampaign,
            gives=schemas.CampaignBody,
            run=fill,
            scope=Scope.CAMPAIGNS,
            refusals=(InvalidInput, CampaignNotFound, CampaignStarted, *_FILLING, Denied),
        ),
        by_id("get", "GET", "", "See a campaign and how far it got.", campaigns.get),
        by_id("start", "POST", "/start", "Start a campaign, or go on with it.", campaigns.start),
        by_id("pause", "POST", "/pause", "Send nothing of it for now.", campaigns.pause),
        by_id("cancel", "POST", "/cancel", "Send nothing more of it.", campaigns.cancel),
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


def _campaign(progress: Progress) -> schemas.CampaignBody:
    campaign = progress.campaign
    return schemas.CampaignBody(
        id=campaign.id,
        name=campaign.name,
        state=campaign.state,
        template=campaign.template,
        variables=dict(campaign.variables),
        texts={
            locale: schemas.TextBody(text.title, text.body)
            for locale, text in campaign.texts.items()
        },
        locales=list(campaign.locales),
        link=campaign.link,
        data=dict(campaign.data),
        created_at=campaign.created_at,
        started_at=campaign.started_at,
        expires_at=campaign.expires_at,
        planned=campaign.planned_at is not None,
        targeted=progress.targeted,
        counts={state.value: progress.counts.get(state, 0) for state in PushState},
    )
