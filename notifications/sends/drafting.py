"""From what a server asks to what is stored. Pure: the same request, the same send."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import msgspec

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId, is_user_id
from kernel.notices import AUDIENCE, Notice, Urgency, entry_of
from kernel.outbox import Entry
from notifications.audit.types import deed_of
from notifications.contents.checks import check_content
from notifications.devices import canonical_locale
from notifications.planning import Planner, checked_data, notification_id
from notifications.pushes import Notification, Push, Topic
from notifications.sends.types import Audience, Draft, Request, Send
from notifications.templates.rendering import Rendering
from notifications.types import AddressKind, PushKind, Text

LIFETIME: Mapping[Urgency, timedelta] = {
    Urgency.INTERACTIVE: timedelta(hours=1),
    Urgency.TRANSACTIONAL: timedelta(hours=24),
    Urgency.MARKETING: timedelta(hours=24),
}
"""For how long a send matters when nobody says, and at most."""

MEMBERS = 1000
"""Users or devices named in one send, at most; more of them are a list."""

TESTERS = 10
"""Users or devices of a test, at most."""

_SENDS = UUID("0f9b1e5e-3b6c-5d0e-8a55-5a7f0c6e9d21")
"""The name space of send ids; it never changes."""

_TOPIC = re.compile(r"[a-zA-Z0-9\-_.~%]{1,900}")
_IN_TOPICS = re.compile(r"'[a-zA-Z0-9\-_.~%]{1,900}' in topics")
_LOGIC = re.compile(r"[\s()!?]*(?:(?:&&|\|\|)[\s()!?]*)*")
_TOPICS_AT_ONCE = 5


def draft_of(
    principal: Principal,
    request: Request,
    rendering: Rendering,
    owners: Mapping[UUID, UserId],
    *,
    now: datetime,
) -> Draft:
    """The send that a sound request means. Raises a refusal for what could not be sent.

    `owners` are those of the devices it names, `rendering` is what words it.
    """
    assert principal.key_id is not None, "only servers send"
    send_id = send_id_of(principal, request.idempotency_key)
    notice = msgspec.structs.replace(
        notice_of(request, send_id, now=now),
        # What was checked now is what they get, whatever is published meanwhile.
        template=rendering.name,
        version=rendering.version,
    )
    # Say now what intake could only bury later: a missing variable, no room for the text.
    planner = Planner(notice, rendering, now=now)
    planner.check()
    users = users_of(request.audience, owners)
    plan = _topic_plan(request.audience, planner)
    known = plan is not None or not request.audience.list_id
    send = Send(
        id=send_id,
        key_id=principal.key_id,
        idempotency_key=request.idempotency_key,
        test=request.test,
        audience=request.audience,
        notice=notice,
        created_at=now,
        planned_at=now if known else None,
        targeted=1 if plan else len(users),
    )
    return Draft(
        send=send,
        digest=hashlib.sha256(msgspec.json.encode(request, order="sorted")).hexdigest(),
        entries=list(entries_of(notice, users, start=0)),
        plan=plan,
        deed=deed_of(
            principal,
            "push.tested" if request.test else "push.sent",
            f"send:{send_id}",
            audience=request.audience.said[0],
            targeted=send.targeted,
            urgency=request.urgency.value,
            category=request.category,
        ),
    )


def send_id_of(principal: Principal, idempotency_key: str) -> UUID:
    """The id of what a server sends under a key, known before anything is stored."""
    return uuid5(_SENDS, f"{principal.key_id}\x1f{idempotency_key}")


def notice_for(notice: Notice, user_ids: Sequence[UserId], *, start: int) -> Notice:
    """A send's words, to some of its users: those after the first `start` of them."""
    return msgspec.structs.replace(
        notice, user_ids=tuple(user_ids), dedupe_key=f"{notice.dedupe_key}:{start}"
    )


def entries_of(notice: Notice, user_ids: Sequence[UserId], *, start: int) -> Iterator[Entry]:
    """The outbox entries that hand a send on to users."""
    for first in range(0, len(user_ids), AUDIENCE):
        some = user_ids[first : first + AUDIENCE]
        yield entry_of(notice_for(notice, some, start=start + first))


def notifications_of(send: Send) -> Mapping[UserId, UUID]:
    """The ids of what the users whom a send names are told."""
    users = send.audience.user_ids
    key = send.notice.dedupe_key
    return {
        user_id: notification_id(f"{key}:{place // AUDIENCE * AUDIENCE}", user_id)
        for place, user_id in enumerate(users)
    }


def users_of(audience: Audience, owners: Mapping[UUID, UserId]) -> Sequence[UserId]:
    """The users whom an audience names, or whose devices it names."""
    if audience.device_ids:
        return list(dict.fromkeys(owners[each] for each in audience.device_ids if each in owners))
    return audience.user_ids


def checked(request: Request) -> Request:
    """The request in its one spelling. Raises a refusal that names field and rule."""
    audience = _checked_audience(request)
    for user_id in request.variables_of:
        if user_id not in audience.user_ids:
            raise InvalidInput("variables_of", "has a user who is not told")
    if request.test:
        request = replace(request, urgency=Urgency.INTERACTIVE)
    longest = LIFETIME[request.urgency].total_seconds()
    if not 0 < (longest if request.expires_after is None else request.expires_after) <= longest:
        raise InvalidInput("expires_after", f"must be above 0 and at most {int(longest)}")
    checked_data(request.data)
    check_content(request.content)
    texts = {canonical_locale(locale): text for locale, text in request.texts.items()}
    if PushKind(request.content.get("kind", PushKind.ALERT)) is not PushKind.ALERT:
        if texts or request.variables or request.variables_of:
            raise InvalidInput("kind", "shows nothing, so there is nothing to say")
        texts = {"en": Text("", "")}
    if request.content.get("live_activity_token") and len(audience.device_ids) != 1:
        raise InvalidInput("live_activity_token", "is that of an activity on one of device_ids")
    if audience.topic or audience.condition:
        if len(texts) > 1:
            raise InvalidInput("texts", "must be in one language for a topic or condition")
        if "badge" in request.content:
            raise InvalidInput("badge", "is a number of one user's, and a topic is everybody's")
    return replace(request, audience=audience, texts=texts)


def _checked_audience(request: Request) -> Audience:
    audience = request.audience
    if len(audience.said) != 1:
        raise InvalidInput(
            "audience", "must be exactly one of user_ids, device_ids, list_id, topic, condition"
        )
    (name,) = audience.said
    most = TESTERS if request.test else MEMBERS
    if request.test and name not in ("user_ids", "device_ids"):
        raise InvalidInput(name, "is not for tests, which go to a few users or devices")
    if len(audience.user_ids) > most or len(audience.device_ids) > most:
        raise InvalidInput(name, f"must hold 1 to {most}")
    for user_id in audience.user_ids:
        if not is_user_id(user_id):
            raise InvalidInput("user_ids", "must hold names of users")
    if name == "topic" and not _TOPIC.fullmatch(audience.topic):
        raise InvalidInput("topic", "must be of the characters a-z A-Z 0-9 - _ . ~ %")
    if name == "condition":
        _check_condition(audience.condition)
    return replace(
        audience,
        user_ids=tuple(dict.fromkeys(audience.user_ids)),
        device_ids=tuple(dict.fromkeys(audience.device_ids)),
    )


def _check_condition(condition: str) -> None:
    topics = len(_IN_TOPICS.findall(condition))
    if not 1 <= topics <= _TOPICS_AT_ONCE:
        raise InvalidInput("condition", "must name 1 to 5 topics, such as 'a' in topics")
    if not _LOGIC.fullmatch(_IN_TOPICS.sub("", condition)):
        raise InvalidInput("condition", "must join its topics with &&, ||, ! and parentheses only")
    depth = 0
    for char in condition:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            break
    if depth != 0:
        raise InvalidInput("condition", "must close its parentheses")


def notice_of(request: Request, send_id: UUID, *, now: datetime) -> Notice:
    """A request's words, with nobody to tell yet."""
    lifetime = request.expires_after or LIFETIME[request.urgency].total_seconds()
    return Notice(
        user_ids=(),
        template="" if request.texts else request.template,
        version=request.version,
        variables=request.variables,
        variables_of=request.variables_of,
        texts={locale: (text.title, text.body) for locale, text in request.texts.items()},
        category=request.category,
        urgency=request.urgency,
        dedupe_key=f"send:{send_id}",
        expires_at=now + timedelta(seconds=lifetime),
        collapse_key=request.collapse_key,
        thread=request.thread,
        link=request.link,
        data=request.data,
        content=request.content,
        device_ids=request.audience.device_ids,
        send_id=send_id,
    )


def _topic_plan(audience: Audience, planner: Planner) -> tuple[Notification, Push] | None:
    if audience.topic:
        topic = Topic(AddressKind.FCM_TOPIC, audience.topic)
    elif audience.condition:
        topic = Topic(AddressKind.FCM_CONDITION, audience.condition)
    else:
        return None
    notification = planner.notification(UserId(""))
    return notification, planner.topic_push(notification, topic, app_id=audience.app_id)
