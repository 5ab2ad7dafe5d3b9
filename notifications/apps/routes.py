"""What operators may ask about apps and credentials."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Nothing, Operation
from notifications.apps import schemas
from notifications.apps.apps import Apps, KnownApp, KnownCredential
from notifications.apps.checks import ProviderChecks
from notifications.apps.errors import CredentialNotFound, DefaultAppStays, NoSealingKey, SealBroken
from notifications.apps.reading import apns_credential, fcm_credential, webpush_credential
from notifications.errors import AppNotFound

Reseal = Callable[[Principal], Awaitable[int]]
"""Seals whatever else lies in the database under the first key; how much was not yet."""


def operations(
    *,
    apps: Apps,
    checks: ProviderChecks,
    token_uris: Sequence[str],
    others: Sequence[Reseal] = (),
) -> list[AnyOperation]:
    """Everything about apps. `others` are sealed with the same keys as credentials are."""
    return [
        *_of_apps(apps),
        *_of_credentials(apps, token_uris),
        _reseal([apps.reseal, *others]),
        _check(checks),
    ]


def _of_apps(apps: Apps) -> list[AnyOperation]:
    async def every(principal: Principal, _: Nothing) -> schemas.AppList:
        return schemas.AppList([_app(each) for each in await apps.all(principal)])

    async def put(principal: Principal, body: schemas.PutApp) -> schemas.AppBody:
        app = await apps.put(principal, body.app_id, name=body.name)
        return schemas.AppBody(app.id, app.name, app.created_at, [])

    async def remove(principal: Principal, body: schemas.OneApp) -> Nothing:
        await apps.remove(principal, body.app_id)
        return Nothing()

    return [
        Operation(
            name="apps.list",
            method="GET",
            path="/admin/v1/apps",
            summary="List apps and the credentials they show, without secrets.",
            takes=Nothing,
            gives=schemas.AppList,
            run=every,
            scope=Scope.OPERATE,
            refusals=(Denied,),
        ),
        Operation(
            name="apps.put",
            method="PUT",
            path="/admin/v1/apps/{app_id}",
            summary="Make an app, or rename it.",
            takes=schemas.PutApp,
            gives=schemas.AppBody,
            run=put,
            scope=Scope.OPERATE,
            refusals=(InvalidInput, DefaultAppStays, Denied),
        ),
        Operation(
            name="apps.remove",
            method="DELETE",
            path="/admin/v1/apps/{app_id}",
            summary="Delete an app with its credentials; its devices follow at night.",
            takes=schemas.OneApp,
            gives=Nothing,
            run=remove,
            scope=Scope.OPERATE,
            refusals=(AppNotFound, DefaultAppStays, Denied),
        ),
    ]


def _of_credentials(apps: Apps, token_uris: Sequence[str]) -> list[AnyOperation]:
    async def put_fcm(principal: Principal, body: schemas.PutFcm) -> schemas.CredentialBody:
        principal.require(Scope.OPERATE)
        credential = fcm_credential(body.secret.encode(), token_uris=token_uris)
        return _credential(await apps.change_credential(principal, body.app_id, credential))

    async def put_apns(principal: Principal, body: schemas.PutApns) -> schemas.CredentialBody:
        principal.require(Scope.OPERATE)
        credential = apns_credential(
            body.secret.encode(), key_id=body.key_id, team_id=body.team_id, topic=body.topic
        )
        return _credential(await apps.change_credential(principal, body.app_id, credential))

    async def put_webpush(principal: Principal, body: schemas.PutWebPush) -> schemas.CredentialBody:
        principal.require(Scope.OPERATE)
        credential = webpush_credential(body.secret.encode(), subject=body.subject)
        return _credential(await apps.change_credential(principal, body.app_id, credential))

    async def remove(principal: Principal, body: schemas.OneCredential) -> Nothing:
        await apps.forget_credential(principal, body.app_id, body.provider)
        return Nothing()

    path = "/admin/v1/apps/{app_id}/credentials"
    changing = (InvalidInput, AppNotFound, NoSealingKey, Denied)
    return [
        Operation(
            name="credentials.put_fcm",
            method="PUT",
            path=f"{path}/fcm",
            summary="Show another service account to FCM, from now on and without a restart.",
            takes=schemas.PutFcm,
            gives=schemas.CredentialBody,
            run=put_fcm,
            scope=Scope.OPERATE,
            refusals=changing,
        ),
        Operation(
            name="credentials.put_apns",
            method="PUT",
            path=f"{path}/apns",
            summary="Sign with another key for APNs, from now on and without a restart.",
            takes=schemas.PutApns,
            gives=schemas.CredentialBody,
            run=put_apns,
            scope=Scope.OPERATE,
            refusals=changing,
        ),
        Operation(
            name="credentials.put_webpush",
            method="PUT",
            path=f"{path}/webpush",
            summary="Sign with another VAPID key, for browsers that subscribed to it.",
            takes=schemas.PutWebPush,
            gives=schemas.CredentialBody,
            run=put_webpush,
            scope=Scope.OPERATE,
            refusals=changing,
        ),
        Operation(
            name="credentials.remove",
            method="DELETE",
            path=f"{path}/{{provider}}",
            summary="Delete an app's credential.",
            takes=schemas.OneCredential,
            gives=Nothing,
            run=remove,
            scope=Scope.OPERATE,
            refusals=(CredentialNotFound, Denied),
        ),
    ]


def _reseal(sealed: Sequence[Reseal]) -> AnyOperation:
    async def reseal(principal: Principal, _: Nothing) -> schemas.Resealed:
        return schemas.Resealed(sum([await each(principal) for each in sealed]))

    return Operation(
        name="credentials.reseal",
        method="POST",
        path="/admin/v1/credentials/reseal",
        summary="Seal credentials and webhooks' secrets with the first key of the settings.",
        takes=Nothing,
        gives=schemas.Resealed,
        run=reseal,
        scope=Scope.OPERATE,
        refusals=(NoSealingKey, SealBroken, Denied),
    )


def _check(checks: ProviderChecks) -> AnyOperation:
    async def check(principal: Principal, body: schemas.SomeApp) -> schemas.CheckList:
        found = await checks.check(principal, app_id=body.app_id)
        return schemas.CheckList(
            msgspec.convert(found, list[schemas.CheckBody], from_attributes=True)
        )

    return Operation(
        name="providers.check",
        method="POST",
        path="/admin/v1/providers/check",
        summary="Ask providers whether they take the credentials, without a push.",
        takes=schemas.SomeApp,
        gives=schemas.CheckList,
        run=check,
        scope=Scope.OPERATE,
        refusals=(AppNotFound, Denied),
    )


def _app(app: KnownApp) -> schemas.AppBody:
    credentials = [_credential(each) for each in app.credentials]
    return schemas.AppBody(app.id, app.name, app.created_at, credentials)


def _credential(known: KnownCredential) -> schemas.CredentialBody:
    return msgspec.convert(known, schemas.CredentialBody, from_attributes=True)
