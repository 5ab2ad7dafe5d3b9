"""Why somebody was told something, or was not: for a push that exists, or one that is imagined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId, is_user_id
from kernel.notices import Notice, Urgency
from notifications.coalescing.ports import ThreadStore
from notifications.deciding.categories import DAY
from notifications.deciding.decision import explain
from notifications.deciding.types import Asked, Explained, Facts, Reason
from notifications.errors import DeviceNotFound, NotificationNotFound
from notifications.planning import asked_of
from notifications.ports import DeviceStore, PushLedger
from notifications.preferences.voices import Voices
from notifications.pushes import Notification, PushRecord
from notifications.types import Device

IMAGINED = timedelta(hours=1)
"""For how long an imagined push matters when nobody says."""


@dataclass(frozen=True, slots=True)
class Question:
    """A push that somebody imagines."""

    category: str
    urgency: Urgency
    thread: str = ""
    device_id: UUID | None = None
    at: datetime | None = None
    expires_at: datetime | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class OnDevice:
    """What becomes of it on one device; without a device, on any that the user may have.

    `explained` is missing when the device of a push is gone. `push` is what is on record.
    """

    device: Device | None
    explained: Explained | None
    push: PushRecord | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision for every device of a user, by what the user says now."""

    user_id: UserId
    category: str
    urgency: Urgency
    at: datetime
    notification_id: UUID | None
    devices: Sequence[OnDevice]


class Explain:
    """Users ask about themselves, servers with the scope `pushes` about anybody."""

    def __init__(
        self,
        *,
        voices: Voices,
        devices: DeviceStore,
        ledger: PushLedger,
        threads: ThreadStore,
        interval: timedelta,
        clock: Clock,
    ) -> None:
        """`interval` is how often a device is told of a busy thread."""
        self._voices = voices
        self._threads = threads
        self._interval = interval
        self._devices = devices
        self._ledger = ledger
        self._clock = clock

    async def imagined(
        self, principal: Principal, question: Question, user_id: UserId | None = None
    ) -> Explanation:
        """What would become of a push of that kind."""
        user = principal.user if user_id is None else _named(principal, user_id)
        at = question.at or self._clock.now()
        notification = Notification(
            id=UUID(int=0),
            user_id=user,
            template="",
            category=question.category,
            urgency=question.urgency,
            created_at=at,
            expires_at=question.expires_at or at + IMAGINED,
            thread=question.thread,
            exact=question.exact,
        )
        facts = await self._facts(notification)
        devices = [
            each
            for each in (await self._devices.of_users([user])).get(user, ())
            if question.device_id in (None, each.id)
        ]
        if question.device_id is not None and not devices:
            raise DeviceNotFound("The user has no such device.")
        busy = await self._threads.busy(user, question.thread) if question.thread else {}
        found = [
            OnDevice(
                each,
                explain(
                    asked_of(notification, each, now=at), self._paced(facts, busy.get(each.id))
                ),
            )
            for each in devices
        ]
        if not found:
            found = [OnDevice(None, explain(_anywhere(notification, at), facts))]
        return Explanation(user, question.category, question.urgency, at, None, found)

    async def of_push(self, principal: Principal, either_id: UUID) -> Explanation:
        """What becomes of a notification, by its own id or that of one of its pushes.

        Each push is judged at the moment at which it was settled, or now if it is under way.
        """
        if principal.user_id is None:
            principal.require(Scope.PUSHES)
        found = await self._ledger.notification(either_id)
        if found is None or principal.user_id not in (None, found[0].user_id):
            raise NotificationNotFound("No notification and no push has this id.")
        notification, records = found
        now = self._clock.now()
        facts = await self._facts(notification)
        devices = {
            each.id: each
            for each in (await self._devices.of_users([notification.user_id])).get(
                notification.user_id, ()
            )
        }
        told = [
            _recorded(
                notification,
                devices.pop(each.device_id, None) if each.device_id else None,
                each,
                facts,
                now,
            )
            for each in records
        ]
        untold = [
            OnDevice(each, explain(asked_of(notification, each, now=now), facts))
            for each in devices.values()
        ]
        return Explanation(
            notification.user_id,
            notification.category,
            notification.urgency,
            now,
            notification.id,
            [*told, *untold],
        )

    def _paced(self, facts: Facts, told_at: datetime | None) -> Facts:
        if told_at is None or not self._interval:
            return facts
        return replace(facts, busy_until=told_at + self._interval)

    async def _facts(self, notification: Notification) -> Facts:
        asking = Notice(
            user_ids=(notification.user_id,),
            template="",
            category=notification.category,
            urgency=notification.urgency,
            dedupe_key="",
            expires_at=notification.expires_at,
            thread=notification.thread,
        )
        facts = self._voices.rulebook.facts(
            await self._voices.about([asking]),
            notification.user_id,
            category=notification.category,
            urgency=notification.urgency,
            thread=notification.thread,
        )
        return replace(facts, enough_until=await self._enough_until(notification))

    async def _enough_until(self, notification: Notification) -> datetime | None:
        rulebook = self._voices.rulebook
        if notification.urgency is not Urgency.MARKETING or not rulebook.marketing_per_day:
            return None
        told = await self._ledger.marketed(
            notification.user_id, notification.category, since=self._clock.now() - DAY
        )
        return rulebook.enough_until([at for each, at in told.items() if each != notification.id])


def _named(principal: Principal, user_id: UserId) -> UserId:
    principal.require(Scope.PUSHES)
    if not is_user_id(user_id):
        raise InvalidInput("user_id", "must be 1 to 128 printable bytes without white space")
    return user_id


def _recorded(
    notification: Notification,
    device: Device | None,
    record: PushRecord,
    facts: Facts,
    now: datetime,
) -> OnDevice:
    if device is None:
        return OnDevice(None, None, record)
    at = record.settled_at or now
    asked = asked_of(notification, device, now=at)
    if record.reason == Reason.LOCAL_ALARM:
        # What the device holds by now is another matter.
        asked = replace(asked, alarmed=True)
    return OnDevice(device, explain(asked, facts), record)


def _anywhere(notification: Notification, at: datetime) -> Asked:
    return Asked(
        category=notification.category,
        urgency=notification.urgency,
        at=at,
        expires_at=notification.expires_at,
        exact=notification.exact,
    )
