"""People: on whose clock, and in which language, a user is reminded."""

import re

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.workers import Pulse
from reminders.authority import acting_for
from reminders.errors import ProfileNotFound
from reminders.limits import checked_user
from reminders.ports import CalendarStore
from reminders.times import checked_zone
from reminders.types import Person

_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")


class People:
    """A new zone beats `planning`: what is on the user's own clock moves with it."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def get(self, principal: Principal, *, user_id: UserId | None = None) -> Person:
        """The user's profile."""
        person = await self._store.person(_of(principal, user_id))
        if person is None:
            raise ProfileNotFound("This user has no reminder profile yet.")
        return person

    async def put(
        self,
        principal: Principal,
        *,
        zone: str,
        locale: str,
        muted: bool = False,
        user_id: UserId | None = None,
    ) -> Person:
        """Store the user's profile."""
        if not _LOCALE.fullmatch(locale):
            raise InvalidInput("locale", "must be a language tag such as fr-DZ")
        person = Person(_of(principal, user_id), checked_zone(zone), locale, muted)
        await self._store.put_person(person, now=self._clock.now())
        self._planning.beat()
        return person


def _of(principal: Principal, user_id: UserId | None) -> UserId:
    user = acting_for(principal, user_id)
    if user is None:
        raise InvalidInput("user_id", "is required")
    return checked_user(user)
