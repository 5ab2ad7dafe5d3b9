"""What can be asked about pushes that died."""

import msgspec

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Operation
from notifications.dead import schemas
from notifications.dead.pushes import DeadPushes
from notifications.dead.types import DeadPush, DeadQuery
from notifications.errors import NotificationNotFound
from notifications.schemas import AttemptBody


def operations(dead: DeadPushes) -> list[AnyOperation]:
    """What operators may ask."""

    async def page(principal: Principal, body: schemas.ListDead) -> schemas.DeadPage:
        query = DeadQuery((), body.app_id, body.route, body.urgency, body.reason)
        found = await dead.page(principal, query, cursor=body.cursor, limit=body.limit)
        return schemas.DeadPage([_body(each) for each in found.items], found.cursor)

    async def get(principal: Principal, body: schemas.PushId) -> schemas.InquestBody:
        found = await dead.inquest(principal, body.push_id)
        return schemas.InquestBody(
            _body(found.push),
            None if found.content is None else msgspec.to_builtins(found.content),
            msgspec.convert(found.attempts, list[AttemptBody], from_attributes=True),
        )

    async def redrive(principal: Principal, body: schemas.RedriveDead) -> schemas.Redriven:
        named = tuple(body.push_ids)
        query = DeadQuery(named, body.app_id, body.route, body.urgency, body.reason)
        if query == DeadQuery():
            raise InvalidInput("push_ids", "or app_id, route, urgency or reason must say which")
        ids = await dead.redrive(principal, query, lifetime=body.expires_after, limit=body.limit)
        return schemas.Redriven(list(ids))

    return [
        Operation(
            name="pushes.list_dead",
            method="GET",
            path="/admin/v1/dead-pushes",
            summary="List pushes whose every attempt failed.",
            takes=schemas.ListDead,
            gives=schemas.DeadPage,
            run=page,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="pushes.get_dead",
            method="GET",
            path="/admin/v1/dead-pushes/{push_id}",
            summary="See what a dead push said, and why it died.",
            takes=schemas.PushId,
            gives=schemas.InquestBody,
            run=get,
            scope=Scope.PUSHES,
            refusals=(NotificationNotFound, Denied),
        ),
        Operation(
            name="pushes.redrive",
            method="POST",
            path="/admin/v1/dead-pushes/redrive",
            summary="Try dead pushes again.",
            takes=schemas.RedriveDead,
            gives=schemas.Redriven,
            run=redrive,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
    ]


def _body(push: DeadPush) -> schemas.DeadPushBody:
    return msgspec.convert(push, schemas.DeadPushBody, from_attributes=True)
