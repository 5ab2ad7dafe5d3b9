"""Announcements: what a server of the application wants users to be told, and what came of it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId, is_user_id
from kernel.notices import AUDIENCE, Notice, Urgency, Variables, entry_of
from kernel.workers import Pulse
from notifications.errors import NotificationNotFound
from notifications.planning import Planner, checked_data, notification_id
from notifications.ports import PushLedger
from notifications.pushes import Notification, PushRecord
from notifications.templates.shelf import Shelf

LIFETIME: Mapping[Urgency, timedelta] = {
    Urgency.INTERACTIVE: timedelta(hours=1),
    Urgency.TRANSACTIONAL: timedelta(hours=24),
    Urgency.MARKETING: timedelta(hours=24),
}
"""For how long a notification matters when nobody says, and at most."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a server asks for. `template` and `variables` word it, for some users with their own.

    `version` is that of a stored template; 0 is the one in use.
    """

    user_ids: tuple[UserId, ...]
    template: str
    variables: Variables
    category: str
    urgency: Urgency
    idempotency_key: str
    expires_after: float | None = None
    collapse_key: str = ""
    thread: str = ""
    link: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    version: int = 0
    variables_of: Mapping[UserId, Variables] = field(default_factory=dict)


class Announcements:
    """What servers may have told to users. `pulse` wakes the relay."""

    def __init__(self, *, ledger: PushLedger, shelf: Shelf, clock: Clock, pulse: Pulse) -> None:
        self._ledger = ledger
        self._shelf = shelf
        self._clock = clock
        self._pulse = pulse

    async def send(self, principal: Principal, announcement: Announcement) -> Mapping[UserId, UUID]:
        """Have users told something; the ids of their notifications, which exist soon after.

        Asking again with the same key changes nothing; with the same key and other words it
        is refused.
        """
        principal.require(Scope.PUSHES)
        now = self._clock.now()
        longest = LIFETIME[announcement.urgency].total_seconds()
        lifetime = longest if announcement.expires_after is None else announcement.expires_after
        if not 0 < lifetime <= longest:
            raise InvalidInput("expires_after", f"must be above 0 and at most {int(longest)}")
        _check_users(announcement.user_ids)
        for user_id in announcement.variables_of:
            if user_id not in announcement.user_ids:
                raise InvalidInput("variables_of", "has a user who is not told")
        rendering = await self._shelf.rendering(
            announcement.template, announcement.variables, version=announcement.version
        )
        dedupe_key = f"announcement:{principal.key_id}:{announcement.idempotency_key}"
        notice = Notice(
            user_ids=announcement.user_ids,
            template=rendering.name,
            # What was checked now is what they get, whatever is published meanwhile.
            version=rendering.version,
            variables=announcement.variables,
            variables_of=announcement.variables_of,
            category=announcement.category,
            urgency=announcement.urgency,
            dedupe_key=dedupe_key,
            expires_at=now + timedelta(seconds=lifetime),
            collapse_key=announcement.collapse_key,
            thread=announcement.thread,
            link=announcement.link,
            data=checked_data(announcement.data),
        )
        # Say now what intake could only bury later: a missing variable, no room for the text.
        Planner(notice, rendering, now=now).check()
        digest = hashlib.sha256(msgspec.json.encode(announcement, order="sorted")).hexdigest()
        await self._ledger.request(dedupe_key, digest=digest, entries=[entry_of(notice)], now=now)
        self._pulse.beat()
        return {user_id: notification_id(dedupe_key, user_id) for user_id in notice.user_ids}

    async def status(
        self, principal: Principal, either_id: UUID
    ) -> tuple[Notification, Sequence[PushRecord]]:
        """What became of a notification, by its own id or that of one of its pushes."""
        principal.require(Scope.PUSHES)
        found = await self._ledger.notification(either_id)
        if found is None:
            raise NotificationNotFound("No notification and no push has this id.")
        return found


def _check_users(user_ids: Sequence[UserId]) -> None:
    if not 1 <= len(user_ids) <= AUDIENCE:
        raise InvalidInput("user_ids", f"must hold 1 to {AUDIENCE} users")
    for user_id in user_ids:
        if not is_user_id(user_id):
            raise InvalidInput("user_ids", "must hold names of users")
