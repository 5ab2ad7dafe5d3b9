"""From a notice or a campaign to notifications and pushes. Pure: the same input, the same ids."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from kernel.errors import InvalidInput
from kernel.ids import UserId
from kernel.notices import Notice, Urgency
from notifications.campaign import Campaign
from notifications.deciding.categories import MARKETING, USUAL, Rulebook
from notifications.deciding.decision import decide
from notifications.deciding.types import Answer, Asked, Reason, Said
from notifications.errors import TemplateInvalid
from notifications.pushes import Notification, Push, Topic
from notifications.templates.locales import FALLBACK
from notifications.templates.rendering import Beside, Rendering
from notifications.templates.types import Template
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


def campaign_key(campaign_id: UUID) -> str:
    """The dedupe key of a campaign's notifications."""
    return f"campaign:{campaign_id}"


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
    ) -> None:
        self._notice = notice
        self._rendering = rendering
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
        self._contents: dict[str, Content] = {}
        self._only = frozenset(notice.device_ids)
        self._collapse_key = _bounded(notice.collapse_key)

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
        )

    def pushes(
        self, notification: Notification, devices: Sequence[Device], said: Said
    ) -> list[Push]:
        """One push per device that can be reached and was confirmed recently enough.

        One that the user does not want is planned as suppressed; one that must wait is due
        when it may go out.
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
            decision = decide(asked_of(notification, device, now=self._now), facts)
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
                    content=self._content(device.locale, notification.user_id),
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
            topic=topic,
        )

    def _content(self, locale: str, user_id: UserId) -> Content:
        notice = self._notice
        own = notice.variables_of.get(user_id)
        if own:
            variables = {**notice.variables, **own}
            return self._rendering.content(locale, variables, self._beside)
        content = self._contents.get(locale)
        if content is None:
            content = self._rendering.content(locale, notice.variables, self._beside)
            self._contents[locale] = content
        return content


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
    )


def obstacle(device: Device, urgency: Urgency, *, now: datetime) -> str | None:
    """Why no push of this class is planned for a device, whatever its user wants, if none is."""
    if device.disabled_at is not None:
        return Reason.DEVICE_DISABLED
    if device.permission is Permission.DENIED:
        return Reason.NOT_PERMITTED
    return Reason.DEVICE_STALE if device.confirmed_at < now - FRESH[urgency] else None


def plan_of(
    campaign: Campaign,
    devices: Sequence[Device],
    said: Said,
    *,
    now: datetime,
    rulebook: Rulebook = USUAL,
) -> tuple[Sequence[Notification], Sequence[Push]]:
    """What a running campaign means for some devices: nothing for who has not agreed to it."""
    if campaign.expires_at is None:
        raise ValueError("a campaign that was not started has no plan")
    planner = _planner_of(campaign, expires_at=campaign.expires_at, now=now, rulebook=rulebook)
    notifications: dict[UserId, Notification] = {}
    pushes: list[Push] = []
    for device in devices:
        notification = notifications.get(device.user_id) or planner.notification(device.user_id)
        for push in planner.pushes(notification, [device], said):
            # Nobody is written down only because they are to be left in peace.
            if not push.suppressed:
                notifications[device.user_id] = notification
                pushes.append(push)
    return list(notifications.values()), pushes


def check_campaign(campaign: Campaign) -> None:
    """Raises what planning it would raise: a campaign that was taken can be planned.

    It has something to say, without variables, and room for it within the limit.
    """
    checked_data(campaign.data)
    if not campaign.texts:
        raise TemplateInvalid("A campaign needs a text in at least one language.")
    for text in campaign.texts.values():
        if not text.title.strip() and not text.body.strip():
            raise TemplateInvalid("A text needs a title or a body.")
    now = campaign.created_at
    _planner_of(campaign, expires_at=now, now=now).check()


def _planner_of(
    campaign: Campaign, *, expires_at: datetime, now: datetime, rulebook: Rulebook = USUAL
) -> Planner:
    key = campaign_key(campaign.id)
    notice = Notice(
        user_ids=(),
        template=key,
        category=MARKETING,
        urgency=Urgency.MARKETING,
        dedupe_key=key,
        expires_at=expires_at,
        collapse_key=campaign.id.hex,
        link=campaign.link,
        data={**campaign.data, "campaign_id": str(campaign.id)},
    )
    rendering = Rendering(Template(texts=campaign.texts))
    return Planner(notice, rendering, now=now, campaign_id=campaign.id, rulebook=rulebook)


def checked_data(data: Mapping[str, str]) -> Mapping[str, str]:
    """Data for the app, under names that no provider and none of our own keys takes.

    Raises `InvalidInput`.
    """
    for name in data:
        if not name or name in _TAKEN or name.startswith(_FCM_RESERVED):
            raise InvalidInput(f"data.{name}", "is a name that providers or Zaffa use")
    return data


_TAKEN = frozenset({"from", "message_type", "aps", "push_id", "link", "thread", "campaign_id"})
_FCM_RESERVED = ("google", "gcm")


def _bounded(collapse_key: str) -> str:
    """The same key for the same thing, as providers take it: short, visible ASCII."""
    if re.fullmatch(rf"[!-~]{{0,{COLLAPSE_KEY_BYTES}}}", collapse_key):
        return collapse_key
    return hashlib.sha256(collapse_key.encode()).hexdigest()[:COLLAPSE_KEY_BYTES]
