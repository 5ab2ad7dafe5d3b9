"""Calendar feeds: issue one, list and revoke them, and read what one says."""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal
from kernel.ids import UserId, new_id
from kernel.operations import Document
from kernel.options import option
from reminders.authority import Act, acting_for_user, member_on, require
from reminders.feeds.calendar import calendar_text
from reminders.feeds.errors import FeedNotFound, TooManyFeeds
from reminders.feeds.ports import FeedStore
from reminders.feeds.types import Feed, Reading, Shown, Whose
from reminders.ports import CalendarStore
from reminders.times import ZONE_DATA_VERSION

FEEDS = 50
"""Feeds of one user."""

EVENTS = 100
"""Events in one feed."""

TASKS = 2000
"""Tasks in one feed."""

PREFIX = "zaffa_cal_"
"""What a secret begins with: log lines leave out whatever begins so."""

_EDITION = "1"
"""Raised when the same facts are written in another way."""


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """The calendar feeds of events."""

    refresh_minutes: int = option(60, "How often calendar apps are asked to fetch a feed.")

    def __post_init__(self) -> None:
        if self.refresh_minutes < 1:
            raise ValueError("refresh_minutes must be at least 1")


class Feeds:
    """A feed says what its user may see, while that is so; whoever has its address may read it."""

    def __init__(
        self,
        *,
        store: FeedStore,
        calendar: CalendarStore,
        clock: Clock,
        options: FeedOptions,
        default_locale: str,
    ) -> None:
        self._store = store
        self._calendar = calendar
        self._clock = clock
        self._options = options
        self._default_locale = default_locale

    async def issue(
        self,
        principal: Principal,
        *,
        event_id: UUID | None,
        shown: Shown,
        whose: Whose,
        user_id: UserId | None = None,
    ) -> tuple[Feed, str]:
        """A feed and, this once, its secret. An earlier one of the same event ends with it."""
        user = acting_for_user(principal, user_id)
        if event_id is not None:
            await self._check_member(principal, event_id, user)
        now = self._clock.now()
        feed = Feed(new_id(now), user, event_id, shown, whose, now)
        secret = PREFIX + secrets.token_urlsafe(32)
        if not await self._store.issue(feed, secret_hash=_hash(secret), limit=FEEDS):
            raise TooManyFeeds("The user has as many calendar feeds as one may.", limit=FEEDS)
        return feed, secret

    async def of(self, principal: Principal, *, user_id: UserId | None = None) -> Sequence[Feed]:
        """A user's feeds, the one issued last first."""
        return await self._store.of_user(acting_for_user(principal, user_id))

    async def revoke(
        self, principal: Principal, feed_id: UUID, *, user_id: UserId | None = None
    ) -> None:
        """End a feed: its address leads nowhere from now on."""
        if not await self._store.revoke(feed_id, owner=acting_for_user(principal, user_id)):
            raise FeedNotFound("There is no such calendar feed.")

    async def read(self, secret: str) -> Document:
        """What a feed says now. Its version costs two small queries; writing it, all of it."""
        reading = await self._store.reading(_hash(secret), events=EVENTS)
        if reading is None:
            raise FeedNotFound("There is no such calendar feed.")

        async def write() -> bytes:
            chapters = await self._store.chapters(reading, tasks=TASKS)
            return await asyncio.to_thread(
                calendar_text,
                reading,
                chapters,
                refresh_minutes=self._options.refresh_minutes,
                default_locale=self._default_locale,
            )

        return Document(self._version(reading), write)

    def _version(self, reading: Reading) -> str:
        person = reading.person
        said = (
            _EDITION,
            ZONE_DATA_VERSION,
            self._options,
            reading.feed,
            None if person is None else (person.locale, person.zone_now, person.hijri),
            list(reading.editions),
        )
        return hashlib.blake2b(repr(said).encode(), digest_size=16).hexdigest()

    async def _check_member(self, principal: Principal, event_id: UUID, user: UserId) -> None:
        sheet = await self._calendar.sheet(event_id)
        require(principal, sheet, Act.SEE)
        member_on(sheet, user)


def _hash(secret: str) -> bytes:
    # Nobody can guess 256 bits, so one round is enough, and every request pays for it.
    return hashlib.sha256(secret.encode()).digest()
