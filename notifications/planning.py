"""From a notice to notifications and pushes. Pure: the same input, the same ids."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid5

import msgspec

from kernel.errors import InvalidInput
from kernel.ids import UserId
from kernel.notices import Notice, Urgency, Variables
from notifications.contents.words import is_taken
from notifications.deciding.categories import USUAL, Rulebook
from notifications.deciding.decision import decide
from notifications.deciding.types import Answer, Asked, Reason, Said
from notifications.pushes import Notification, Pacing, Push, Topic
from notifications.templates.locales import FALLBACK
from notifications.templates.rendering import Beside, Rendering
from notifications.types import DEFAULT_APP, Content, Device, Permission, Route

_NOTIFICATIONS = UUID("6f1c1b0e-5d0b-5c77-9a4e-3f1a2f9f4f10")
"""The name space of notification ids; it never changes."""

FRESH: Mapping[Urgency, timedelta] = {
    Urgency.INTERACTIVE: timedelta(days=270),
    Urgency.TRANSACTIONAL: timedelta(days=60),
    Urgency.MARKETING: timedelta(days=30),
}
"""How recently a device must have been confirmed to be worth a push."""

COLLAPSE_KEY_BYTES = 64
"""APNs takes no longer one."""

TOPIC_BYTES = 2048
"""FCM takes no more than this to a topic."""


def notification_id(dedupe_key: str, user_id: UserId) -> UUID:
    """The id of what a notice tells a user, known before anything is stored."""
    return uuid5(_NOTIFICATIONS, f"{dedupe_key}\x1f{user_id}")


class Planner:
    """Plans one notice or campaign for any number of users.

    Each locale is rendered once, and again for users with variables of their own.
    """

    def __init__(
        self,
        notice: Notice,
        rendering: Rendering,
        *,
        now: datetime,
        campaign_id: UUID | None = None,
        rulebook: Rulebook = USUAL,
        of_many: Rendering | None = None,
        interval: timedelta = timedelta(0),
    ) -> None:
        """`of_many` words what stands for several notices of a thread; without an `interval`
        each of them is told."""
        self._notice = notice
        self._rendering = rendering
        self._of_many = of_many
        self._interval = interval
        self._beside = Beside(
            data=notice.data,
            link=notice.link,
            thread=notice.thread,
            category=notice.category,
            more=notice.content,
        )
        self._now = now
        self._campaign_id = campaign_id
        self._rulebook = rulebook
        self._contents: dict[tuple[str, int | None], Content] = {}
        self._only = frozenset(notice.device_ids)
        self._collapse_key = bounded(notice.collapse_key)

    def check(self) -> None:
        """Render every language once. Raises what rendering for a device would raise."""
        for variables in self._notice.variables_of.values() or [{}]:
            self._rendering.check({**self._notice.variables, **variables}, self._beside)

    def notification(self, user_id: UserId) -> Notification:
        notice = self._notice
        return Notification(
            id=notification_id(notice.dedupe_key, user_id),
            user_id=user_id,
            template=self._rendering.label or notice.template,
            category=notice.category,
            urgency=notice.urgency,
            created_at=self._now,
            expires_at=notice.expires_at,
            campaign_id=self._campaign_id,
            send_id=notice.send_id,
            thread=notice.thread,
            exact=notice.exact,
        )

    def pushes(
        self,
        notification: Notification,
        devices: Sequence[Device],
        said: Said,
        *,
        badge: int | None = None,
        alarmed: Collection[UUID] = (),
    ) -> list[Push]:
        """One push per device that can be reached and was confirmed recently enough.

        One that the user does not want is planned as suppressed; one that must wait is due
        when it may go out. `badge` is how much the user has not read; the devices in `alarmed`
        show it by themselves.
        """
        facts = self._rulebook.facts(
            said,
            notification.user_id,
            category=notification.category,
            urgency=notification.urgency,
            thread=self._notice.thread,
        )
        planned: list[Push] = []
        for device in devices:
            if self._only and device.id not in self._only:
                continue
            asked = asked_of(notification, device, now=self._now)
            if device.id in alarmed:
                asked = replace(asked, alarmed=True)
            decision = decide(asked, facts)
            if decision.reason in UNREACHABLE:
                continue
            planned.append(
                Push(
                    id=uuid5(notification.id, str(device.id)),
                    notification_id=notification.id,
                    user_id=notification.user_id,
                    device_id=device.id,
                    route=device.route,
                    urgency=notification.urgency,
                    content=self._content(device.locale, notification.user_id, badge),
                    # Without one of its own, a push at least replaces its own repetition.
                    collapse_key=self._collapse_key or notification.id.hex,
                    created_at=self._now,
                    expires_at=notification.expires_at,
                    campaign_id=self._campaign_id,
                    send_id=notification.send_id,
                    app_id=device.app_id,
                    category=notification.category,
                    due_at=decision.until,
                    suppressed=str(decision.reason) if decision.answer is Answer.SUPPRESS else "",
                    pacing=self._pacing(device.locale, notification.user_id, badge),
                    exact=notification.exact,
                )
            )
        return planned

    def topic_push(
        self, notification: Notification, topic: Topic, *, app_id: str = DEFAULT_APP
    ) -> Push:
        """The push to everybody whose app subscribed to a topic, in the language of most.

        Raises `PushTooLarge` for what a device would still take.
        """
        beside = replace(self._beside, limit=TOPIC_BYTES)
        content = self._rendering.content(FALLBACK[0], self._notice.variables, beside)
        return Push(
            id=uuid5(notification.id, f"{topic.kind}:{topic.address}"),
            notification_id=notification.id,
            user_id=notification.user_id,
            device_id=None,
            route=Route.FCM,
            urgency=notification.urgency,
            content=content,
            collapse_key=self._collapse_key or notification.id.hex,
            created_at=self._now,
            expires_at=notification.expires_at,
            send_id=notification.send_id,
            app_id=app_id,
            category=notification.category,
            topic=topic,
        )

    def _pacing(self, locale: str, user_id: UserId, badge: int | None) -> Pacing | None:
        notice = self._notice
        if not (notice.coalesces and notice.thread and self._interval):
            return None
        words = self._words(user_id, badge)
        return Pacing(
            thread=notice.thread,
            place=notice.place,
            interval=self._interval,
            words=msgspec.json.encode(words).decode(),
            content=partial(self._content_of_many, locale, words),
        )

    def _content(self, locale: str, user_id: UserId, badge: int | None) -> Content:
        if self._notice.variables_of.get(user_id):
            return self._content_of(locale, self._words(user_id, badge))
        content = self._contents.get((locale, badge))
        if content is None:
            content = self._content_of(locale, self._words(user_id, badge))
            self._contents[locale, badge] = content
        return content

    def _words(self, user_id: UserId, badge: int | None) -> "_Words":
        notice = self._notice
        variables = {**notice.variables, **notice.variables_of.get(user_id, {})}
        return _Words(notice.template, notice.texts, variables, notice.data, notice.link, badge)

    def _content_of_many(self, locale: str, own: "_Words", count: int, encoded: str) -> Content:
        """What is shown for so many notices, of which the last one said what is `encoded`."""
        last = _words_of(encoded)
        # Only what is worded alike can be said in this notice's stead.
        alike = (last.template, last.texts) == (own.template, own.texts)
        return self._content_of(locale, last if alike else own, count)

    def _content_of(self, locale: str, words: "_Words", count: int = 1) -> Content:
        rendering, variables = self._rendering, words.variables
        beside = replace(self._beside, data=words.data, link=words.link)
        if count > 1:
            beside = replace(beside, data={**beside.data, "count": str(count)})
            if self._of_many is not None:
                rendering, variables = self._of_many, {**variables, "count": count}
        content = rendering.content(locale, variables, beside)
        if self._notice.exact:
            # Somebody chose this very moment: an iPhone's focus lets it through.
            content = replace(content, apple={**_PRESSING, **content.apple})
        return content if words.badge is None else replace(content, badge=words.badge)


_PRESSING = {"interruption-level": "time-sensitive"}


class _Words(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a notice says that others of its thread do not."""

    template: str
    texts: Mapping[str, tuple[str, str]]
    variables: Variables
    data: Mapping[str, str]
    link: str
    badge: int | None = None


_words_of = msgspec.json.Decoder(_Words).decode


UNREACHABLE = frozenset(
    {Reason.EXPIRED, Reason.DEVICE_DISABLED, Reason.DEVICE_STALE, Reason.NOT_PERMITTED}
)
"""For these reasons no push is planned at all: nobody chose them, and most devices are old."""


def asked_of(notification: Notification, device: Device, *, now: datetime) -> Asked:
    """What is to be decided about a notification on its way to a device."""
    return Asked(
        category=notification.category,
        urgency=notification.urgency,
        at=now,
        expires_at=notification.expires_at,
        device_id=device.id,
        time_zone=device.time_zone,
        confirmed_at=device.confirmed_at,
        stale_before=now - FRESH[notification.urgency],
        disabled_reason=None if device.disabled_at is None else device.disabled_reason,
        permitted=device.permission is not Permission.DENIED,
        exact=notification.exact,
    )


def obstacle(device: Device, urgency: Urgency, *, now: datetime) -> str | None:
    """Why no push of this class is planned for a device, whatever its user wants, if none is."""
    if device.disabled_at is not None:
        return Reason.DEVICE_DISABLED
    if device.permission is Permission.DENIED:
        return Reason.NOT_PERMITTED
    return Reason.DEVICE_STALE if device.confirmed_at < now - FRESH[urgency] else None


def checked_data(data: Mapping[str, str]) -> Mapping[str, str]:
    """Data for the app, under names that no provider and none of our own keys takes.

    Raises `InvalidInput`.
    """
    for name in data:
        if is_taken(name):
            raise InvalidInput(f"data.{name}", "is a name that providers or Zaffa use")
    return data


def bounded(collapse_key: str) -> str:
    """The same key for the same thing, as providers take it: short, visible ASCII."""
    if re.fullmatch(rf"[!-~]{{0,{COLLAPSE_KEY_BYTES}}}", collapse_key):
        return collapse_key
    return hashlib.sha256(collapse_key.encode()).hexdigest()[:COLLAPSE_KEY_BYTES]
