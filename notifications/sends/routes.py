"""What can be asked of sends."""

from collections.abc import AsyncIterator

import msgspec

from kernel.errors import Denied, InvalidInput, Refusal
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Operation, invalid_input
from notifications.errors import (
    AppNotFound,
    DeviceNotFound,
    IdempotencyMismatch,
    ListNotFound,
    PushTooLarge,
    SendNotFound,
    SendsLimited,
    TemplateInvalid,
    TemplateNotFound,
    VariableMissing,
)
from notifications.sends import bodies, forecast_schemas, schemas
from notifications.sends.rehearsal import Rehearsal
from notifications.sends.sends import Sends
from notifications.sends.types import Request, Send

_UNSENDABLE: tuple[type[Refusal], ...] = (
    InvalidInput,
    AppNotFound,
    TemplateNotFound,
    TemplateInvalid,
    VariableMissing,
    PushTooLarge,
    DeviceNotFound,
    ListNotFound,
    Denied,
)
_UNKNOWN: tuple[type[Refusal], ...] = (SendNotFound, InvalidInput, Denied)


def operations(*, sends: Sends, rehearsal: Rehearsal) -> list[AnyOperation]:
    """What the application's servers may ask."""
    return [*_of_sending(sends, rehearsal), *_of_sends(sends)]


def _of_sending(sends: Sends, rehearsal: Rehearsal) -> list[AnyOperation]:
    async def send(principal: Principal, body: schemas.SendPush) -> schemas.SentPush:
        return bodies.sent_push(await sends.send(principal, bodies.request_of(body)))

    async def many(principal: Principal, body: schemas.SendMany) -> schemas.ManyResults:
        read = [_request(each) for each in body.sends]
        asked = [each for each in read if isinstance(each, Request)]
        if not asked:
            principal.require(Scope.PUSHES)
        taken = iter(await sends.send_many(principal, asked) if asked else ())
        answers: list[Send | Refusal] = [
            next(taken) if isinstance(each, Request) else each for each in read
        ]
        return schemas.ManyResults([bodies.one_result(each) for each in answers])

    async def rehearse(
        principal: Principal, body: schemas.RehearsePush
    ) -> forecast_schemas.Rehearsed:
        rehearsed = await rehearsal.rehearse(
            principal, bodies.request_of(body), counted=bodies.counted_in(body)
        )
        return bodies.rehearsed_body(rehearsed, body.list_id)

    return [
        Operation(
            name="pushes.send",
            method="POST",
            path="/admin/v1/pushes",
            summary="Have users, devices, a list or a topic told something.",
            takes=schemas.SendPush,
            gives=schemas.SentPush,
            run=send,
            scope=Scope.PUSHES,
            status=202,
            refusals=(*_UNSENDABLE, IdempotencyMismatch, SendsLimited),
        ),
        Operation(
            name="pushes.send_many",
            method="POST",
            path="/admin/v1/pushes/batch",
            summary="The same for up to 1,000 sends, each taken or refused by itself.",
            takes=schemas.SendMany,
            gives=schemas.ManyResults,
            run=many,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="pushes.rehearse",
            method="POST",
            path="/admin/v1/pushes/dry-run",
            summary="Say who would get what, and who would not and why. Nothing is sent.",
            takes=schemas.RehearsePush,
            gives=forecast_schemas.Rehearsed,
            run=rehearse,
            scope=Scope.PUSHES,
            refusals=_UNSENDABLE,
        ),
    ]


def _of_sends(sends: Sends) -> list[AnyOperation]:
    async def recent(principal: Principal, body: schemas.ListSends) -> schemas.SendPage:
        page = await sends.recent(principal, cursor=body.cursor, limit=body.limit)
        return schemas.SendPage([bodies.send_body(each) for each in page.items], page.cursor)

    async def status(principal: Principal, body: schemas.SendId) -> schemas.SendStatus:
        return bodies.status_body(await sends.status(principal, body.send_id))

    async def follow(
        principal: Principal, body: schemas.SendId
    ) -> AsyncIterator[schemas.SendStatus]:
        following = await sends.follow(principal, body.send_id)
        return (bodies.status_body(each) async for each in following)

    async def pushes(principal: Principal, body: schemas.ListSentPushes) -> schemas.SentPushPage:
        page = await sends.pushes(
            principal,
            body.send_id,
            states=frozenset(body.state),
            cursor=body.cursor,
            limit=body.limit,
        )
        found = [bodies.sent_push_body(each) for each in page.items]
        return schemas.SentPushPage(found, page.cursor)

    async def cancel(principal: Principal, body: schemas.SendId) -> schemas.SendStatus:
        return bodies.status_body(await sends.cancel(principal, body.send_id))

    return [
        Operation(
            name="sends.list",
            method="GET",
            path="/admin/v1/sends",
            summary="List sends, newest first.",
            takes=schemas.ListSends,
            gives=schemas.SendPage,
            run=recent,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="sends.get",
            method="GET",
            path="/admin/v1/sends/{send_id}",
            summary="See how far a send got.",
            takes=schemas.SendId,
            gives=schemas.SendStatus,
            run=status,
            scope=Scope.PUSHES,
            refusals=_UNKNOWN,
        ),
        Operation(
            name="sends.follow",
            method="GET",
            path="/admin/v1/sends/{send_id}/follow",
            summary="See how far a send got, again whenever that changes, until it is over.",
            takes=schemas.SendId,
            gives=schemas.SendStatus,
            run=follow,
            scope=Scope.PUSHES,
            streams=True,
            refusals=_UNKNOWN,
        ),
        Operation(
            name="sends.pushes",
            method="GET",
            path="/admin/v1/sends/{send_id}/pushes",
            summary="See what became of a send on each device.",
            takes=schemas.ListSentPushes,
            gives=schemas.SentPushPage,
            run=pushes,
            scope=Scope.PUSHES,
            refusals=_UNKNOWN,
        ),
        Operation(
            name="sends.cancel",
            method="POST",
            path="/admin/v1/sends/{send_id}/cancel",
            summary="Stop what has not left yet.",
            takes=schemas.SendId,
            gives=schemas.SendStatus,
            run=cancel,
            scope=Scope.PUSHES,
            refusals=_UNKNOWN,
        ),
    ]


def _request(given: object) -> Request | Refusal:
    """One of several sends, or why it cannot be read."""
    try:
        return bodies.request_of(msgspec.convert(given, schemas.SendPush))
    except msgspec.ValidationError as error:
        return invalid_input(error, schemas.SendPush)
