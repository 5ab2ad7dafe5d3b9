"""People: on whose clock, and in which language, a user is reminded."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import time

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.workers import Pulse
from reminders.authority import acting_for_user
from reminders.errors import ProfileNotFound
from reminders.limits import checked_user
from reminders.person import Digests, FastingPolicy, Person, Quiet
from reminders.ports import CalendarStore
from reminders.quiet import LONGEST_QUIET, quiet_for
from reminders.times import checked_zone
from reminders.travel import heard

LATEST_DIGEST = time(11)

_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")


class People:
    """A new zone beats `planning`: what is on the user's own clock moves with it."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def get(self, principal: Principal, *, user_id: UserId | None = None) -> Person:
        """The user's profile."""
        return known(await self._store.person(_of(principal, user_id)))

    async def put(
        self,
        principal: Principal,
        *,
        zone: str,
        locale: str,
        muted: bool = False,
        quiet: Quiet | None = None,
        fasting: FastingPolicy = FastingPolicy.AUTO,
        hijri: bool = False,
        follow_device: bool = True,
        digest: Digests = Digests.DAILY,
        digest_at: time | None = None,
        user_id: UserId | None = None,
    ) -> Person:
        """Store the user's profile. Where their devices are is kept."""
        if not _LOCALE.fullmatch(locale):
            raise InvalidInput("locale", "must be a language tag such as fr-DZ")
        if quiet is not None and quiet_for(quiet) > LONGEST_QUIET:
            raise InvalidInput("quiet", "must leave eight hours of the day")
        if digest_at is not None and digest_at > LATEST_DIGEST:
            raise InvalidInput("digest_at", "must be in the morning: at 11:00 at the latest")
        checked_zone(zone)
        user = _of(principal, user_id)

        def change(earlier: Person | None) -> Person:
            return replace(
                earlier or Person(user, zone, locale),
                zone=zone,
                locale=locale,
                muted=muted,
                quiet=quiet,
                fasting=fasting,
                hijri=hijri,
                follow_device=follow_device,
                digest=digest,
                digest_at=digest_at,
            )

        return await self._change(user, change)

    async def report_zone(
        self,
        principal: Principal,
        *,
        zone: str,
        confirmed: bool = False,
        user_id: UserId | None = None,
    ) -> Person:
        """Hear from a device in which zone it is; travelling takes the reminders along."""
        checked_zone(zone)
        now = self._clock.now()

        def change(earlier: Person | None) -> Person:
            return heard(known(earlier), zone, now=now, confirmed=confirmed)

        # Most reports say nothing new, and hold up nobody.
        person = await self.get(principal, user_id=user_id)
        return person if change(person) == person else await self._change(person.user_id, change)

    async def _change(self, user: UserId, change: Callable[[Person | None], Person]) -> Person:
        person = await self._store.change_person(user, change, now=self._clock.now())
        self._planning.beat()
        return person


def known(person: Person | None) -> Person:
    """The profile as it is. Raises `ProfileNotFound` for a user who has none."""
    if person is None:
        raise ProfileNotFound("This user has no reminder profile yet.")
    return person


def _of(principal: Principal, user_id: UserId | None) -> UserId:
    return checked_user(acting_for_user(principal, user_id))
