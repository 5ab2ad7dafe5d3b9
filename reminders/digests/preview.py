"""What a user's next digest says, as far as is known, and when it comes."""

from dataclasses import dataclass
from datetime import datetime

from kernel.clock import Clock
from kernel.identity import Principal
from kernel.ids import UserId
from reminders.authority import acting_for_user
from reminders.digests.agenda import digest_today
from reminders.digests.digest import Digest
from reminders.digests.ports import DigestStore
from reminders.digests.turns import next_turn
from reminders.ports import Almanac
from reminders.times import wall_of


@dataclass(frozen=True, slots=True)
class Preview:
    """The digest of the day it comes on, from what is true now."""

    due_at: datetime | None
    """None: the user wants none, or is in no event."""
    digest: Digest | None


class DigestPreview:
    """Looking changes nothing."""

    def __init__(self, *, store: DigestStore, almanac: Almanac, clock: Clock) -> None:
        self._store = store
        self._almanac = almanac
        self._clock = clock

    async def of(self, principal: Principal, *, user_id: UserId | None = None) -> Preview:
        """The user's next digest."""
        user = acting_for_user(principal, user_id)
        now = self._clock.now()
        ramadans = await self._almanac.ramadans()
        agenda = await self._store.agenda(user, ramadans=ramadans, now=now)
        if agenda is None:
            return Preview(None, None)
        turn = next_turn(agenda.reader, after=now, told_on=agenda.told_on)
        on = wall_of(now, agenda.reader.zone).date() if turn is None else turn.on
        return Preview(None if turn is None else turn.due_at, digest_today(agenda, on=on))
