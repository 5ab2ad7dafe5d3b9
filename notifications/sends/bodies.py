"""Between the bodies of sends' API and their values. Pure."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec

from kernel.errors import InvalidInput, Refusal
from kernel.ids import UserId
from kernel.paging import cursor_of, parts_of
from notifications.contents.blocks import BLOCKS, block_of
from notifications.pushes import PushState
from notifications.schemas import AttemptBody
from notifications.sends import forecast_schemas, schemas
from notifications.sends.drafting import notifications_of
from notifications.sends.rehearsal import Forecast, Rehearsed, UserForecast
from notifications.sends.types import Audience, Census, Request, Send, SentPush, Status
from notifications.types import Content, PushKind, Text


def request_of(body: schemas.SendPush) -> Request:
    """What a server asks for."""
    audience = Audience(
        user_ids=tuple(UserId(each) for each in body.user_ids),
        device_ids=tuple(body.device_ids),
        list_id=body.list_id or "",
        topic=body.topic or "",
        condition=body.condition or "",
        app_id=body.app_id,
    )
    return Request(
        audience=audience,
        idempotency_key=body.idempotency_key,
        urgency=body.urgency,
        expires_after=body.expires_after,
        variables_of={UserId(each): own for each, own in body.variables_of.items()},
        test=body.test,
        template=body.template,
        version=body.version,
        variables=body.variables,
        texts={locale: Text(text.title, text.body) for locale, text in body.texts.items()},
        category=body.category,
        collapse_key=body.collapse_key,
        thread=body.thread,
        link=body.link,
        data=body.data,
        content=_content(body),
    )


_SAID = ("image", "now_or_never", "label", "apple_priority", "live_activity_token")


def _content(body: schemas.SendPush) -> Mapping[str, Any]:
    """The fields of `Content` that were given; blocks as their providers have them."""
    said: dict[str, Any] = {name: value for name in _SAID if (value := getattr(body, name))}
    if body.kind is not PushKind.ALERT:
        said["kind"] = body.kind.value
    if body.badge is not None:
        said["badge"] = body.badge
    for name in BLOCKS:
        if given := block_of(name, getattr(body, name)):
            said[name] = given
    return said


def sent_push(send: Send) -> schemas.SentPush:
    """What a server learns at once."""
    told = {str(user_id): each for user_id, each in notifications_of(send).items()}
    return schemas.SentPush(send.id, send.targeted, told)


def one_result(answer: Send | Refusal) -> schemas.OneResult:
    """What became of one of several."""
    if isinstance(answer, Send):
        return schemas.OneResult(answer.id, answer.targeted, None)
    failure = schemas.Failure(answer.code, answer.message, dict(answer.details))
    return schemas.OneResult(None, None, failure)


def send_body(send: Send) -> schemas.SendBody:
    """A send as servers see it."""
    audience = send.audience
    return schemas.SendBody(
        id=send.id,
        idempotency_key=send.idempotency_key,
        test=send.test,
        audience=msgspec.convert(audience, schemas.AudienceBody, from_attributes=True),
        urgency=send.notice.urgency,
        category=send.notice.category,
        created_at=send.created_at,
        expires_at=send.expires_at,
        cancelled_at=send.cancelled_at,
        planned=send.planned_at is not None,
        targeted=send.targeted,
    )


def status_body(status: Status) -> schemas.SendStatus:
    """How far a send got."""
    tally = status.tally
    return schemas.SendStatus(
        send=send_body(status.send),
        state=status.state,
        over=status.is_over,
        told=tally.told,
        unreachable=tally.unreachable,
        counts={state.value: tally.pushes.get(state, 0) for state in PushState},
        reports=dict(tally.reports),
    )


def sent_push_body(sent: SentPush) -> schemas.SentPushBody:
    """A push of a send."""
    push = sent.push
    told = {each.name: getattr(push, each.name) for each in fields(push)}
    told["attempts"] = msgspec.convert(push.attempts, list[AttemptBody], from_attributes=True)
    return schemas.SentPushBody(
        user_id=sent.user_id,
        notification_id=sent.notification_id,
        reports=dict(sent.reports),
        **told,
    )


def rehearsed_body(rehearsed: Rehearsed, list_id: str | None) -> forecast_schemas.Rehearsed:
    """What a send would do."""
    users = [_user(each) for each in rehearsed.users]
    census = rehearsed.census
    looked_at = sum(each.would for user in users for each in user.devices)
    return forecast_schemas.Rehearsed(
        targeted=rehearsed.targeted,
        would_reach=looked_at if census is None else census.would,
        users=users,
        unknown_device_ids=list(rehearsed.unknown_device_ids),
        topic_content=_shown(rehearsed.content) if rehearsed.content else None,
        census=None if census is None else _census(census, list_id),
    )


def counted_in(body: schemas.RehearsePush) -> Census | None:
    """What was counted when the cursor was given. Raises `InvalidInput` for another list's."""
    if body.cursor is None:
        return None
    list_id, counted = parts_of(body.cursor, 2)
    try:
        census = msgspec.json.decode(counted, type=Census)
    except msgspec.DecodeError:
        census = None
    if census is None or list_id != body.list_id:
        raise InvalidInput("cursor", "is not one that counting this list gave")
    return census


def _census(census: Census, list_id: str | None) -> forecast_schemas.CensusBody:
    rest = cursor_of(list_id or "", msgspec.json.encode(census).decode())
    return forecast_schemas.CensusBody(
        users=census.users,
        whole=census.whole,
        cursor=None if census.whole else rest,
        without_device=census.deviceless,
        would_reach=census.would,
        later=census.later,
        why_not=dict(census.why_not),
    )


def _user(forecast: UserForecast) -> forecast_schemas.UserForecastBody:
    devices = [_device(each) for each in forecast.devices]
    return forecast_schemas.UserForecastBody(forecast.user_id, forecast.reason, devices)


def _device(forecast: Forecast) -> forecast_schemas.ForecastBody:
    device, content = forecast.device, forecast.content
    return forecast_schemas.ForecastBody(
        device_id=device.id,
        platform=device.platform,
        route=device.route,
        locale=device.locale,
        would=content is not None,
        reason=forecast.reason,
        until=forecast.until,
        title=content.title if content else None,
        body=content.body if content else None,
    )


def _shown(content: Content) -> dict[str, Any]:
    said = {each.name: getattr(content, each.name) for each in fields(content)}
    return {name: value for name, value in said.items() if value}
